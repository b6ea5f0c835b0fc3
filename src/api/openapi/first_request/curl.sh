cat > march.csv <<'END'
Reference,StartDate,StartTime,EndDate,EndTime
SITE-001,03/03/2025,08:00,03/03/2025,16:30
END
curl --fail-with-body "$FERRY_URL/v1/submissions?wait=30s" \
    -H "Authorization: Bearer $FERRY_KEY" -H "Idempotency-Key: march-curl" \
    -F name=march-curl -F data=@march.csv
