import json
import os
from urllib.request import Request, urlopen

data = """Reference,StartDate,StartTime,EndDate,EndTime
SITE-001,03/03/2025,08:00,03/03/2025,16:30
"""
headers = {
    "Authorization": "Bearer " + os.environ["FERRY_KEY"],
    "Content-Type": "application/json",
    "Idempotency-Key": "march-python",
}
body = json.dumps({"name": "march-python", "data": data}).encode()
request = Request(os.environ["FERRY_URL"] + "/v1/submissions?wait=30s", body, headers)
with urlopen(request) as response:
    submission = json.load(response)
print(submission["id"], submission["state"], submission["reason"])
