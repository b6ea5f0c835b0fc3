#!/usr/bin/env python3
"""Submits a dataset to `ferry serve`, waits for the outcome, and prints the results or the feedback.

submit.py FILE [NAME]. FERRY_URL says where the server is, FERRY_KEY is an API key, if one is needed.
Ends with 0 if it was completed, 2 without FILE, 3 if the dataset is invalid, 4 if the Platform
rejected it, and 1 otherwise. Needs nothing but Python.
"""

import hashlib
import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request

URL = os.environ.get("FERRY_URL", "http://127.0.0.1:8600")
TRIES = 5
SHOWN = 10  # The most problems that are printed.


def call(path, body=None, headers=None):
    """The body of a response. What may pass is sent again, which creates nothing twice."""
    headers = dict(headers or {})
    if os.environ.get("FERRY_KEY"):
        headers["Authorization"] = "Bearer " + os.environ["FERRY_KEY"]
    for left in reversed(range(TRIES)):
        request = urllib.request.Request(URL + path, data=body, headers=headers)
        pause = 2 ** (TRIES - 1 - left) / 4
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            if left == 0 or error.code not in (408, 429, 502, 503, 504):
                raise
            pause = max(pause, float(error.headers.get("Retry-After") or 0))
        except OSError:
            if left == 0:
                raise
        time.sleep(pause)


def submit(file, name):
    try:
        data = file.read_bytes().decode()
    except UnicodeDecodeError as error:
        sys.exit(f"{file} is not UTF-8: {error.reason} at byte {error.start}")
    body = json.dumps({"name": name, "data": data}).encode()
    # The same content under the same name is the same submission here; a producer with an id of its
    # own takes that.
    key = name + "-" + hashlib.sha256(body).hexdigest()[:16]
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return json.loads(call("/v1/submissions", body, headers))["id"]


def main():
    if len(sys.argv) not in (2, 3):
        print("usage: submit.py FILE [NAME]", file=sys.stderr)
        return 2
    file = pathlib.Path(sys.argv[1])
    name = sys.argv[2] if len(sys.argv) > 2 else file.stem
    submission = submit(file, name)
    print("submitted as", submission, file=sys.stderr)
    while True:
        view = json.loads(call(f"/v1/submissions/{submission}?wait=30s"))
        state = view["state"]
        if state == "completed":
            sys.stdout.buffer.write(call(f"/v1/submissions/{submission}/results/tableofresultids"))
            return 0
        if state == "rejected" and "feedback" not in view:
            # The Platform rejected the upload itself, such as a name that exists.
            print(view["reason"], file=sys.stderr)
            return 4
        if state == "rejected":
            for finding in json.loads(call(f"/v1/submissions/{submission}/feedback")):
                lines = [place["line"] for place in finding["locations"]]
                print(f"line {lines}, value {finding['value']}: {finding['message']}")
            return 4
        if state in ("failed", "cancelled", "held"):
            print(f"{submission} is {state}: {view['reason']}", file=sys.stderr)
            return 1


def explain(error):
    """Prints the problem of a response, and returns the exit code for it."""
    try:
        problem = json.load(error)
    except ValueError:
        problem = {}
    print(problem.get("detail") or error, file=sys.stderr)
    problems = problem.get("problems", [])
    for found in problems[:SHOWN]:
        # An error of the whole table has no line, and one of a row no column.
        where = [f"{part} {found[part]}" for part in ("line", "column") if found[part] is not None]
        print(f"{', '.join([found['table'], *where])}: {found['message']}", file=sys.stderr)
    if len(problems) > SHOWN:
        print(f"… and {len(problems) - SHOWN} more errors", file=sys.stderr)
    return 3 if error.code == 422 else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except urllib.error.HTTPError as error:
        sys.exit(explain(error))
    except urllib.error.URLError as error:
        sys.exit(f"cannot reach {URL}: {error.reason}; does `ferry serve` run there?")
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        sys.exit(130)
