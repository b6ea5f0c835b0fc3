const data = `Reference,StartDate,StartTime,EndDate,EndTime
SITE-001,03/03/2025,08:00,03/03/2025,16:30
`;
const response = await fetch(`${process.env.FERRY_URL}/v1/submissions?wait=30s`, {
  method: "POST",
  headers: {
    Authorization: `Bearer ${process.env.FERRY_KEY}`,
    "Content-Type": "application/json",
    "Idempotency-Key": "march-node",
  },
  body: JSON.stringify({ name: "march-node", data }),
});
const submission = await response.json();
if (!response.ok) throw new Error(submission.detail);
console.log(submission.id, submission.state, submission.reason);
