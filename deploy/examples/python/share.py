#!/usr/bin/env python3
"""Issue one link for each object of a bucket, and print the URL of each.

    share.py BUCKET KEY...

The program needs only the standard library. It repeats the batch until every link is
issued or refused. A repeat has the same Idempotency-Key, so it never issues a second
link for an object.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

ADDRESS = os.environ.get("KEYHOLE_OPERATOR_URL", "http://127.0.0.1:8081")
ATTEMPTS = 5


def send(path, body, idempotency_key):
    """Send one request. Return the status, the decoded answer and the seconds to wait."""
    request = urllib.request.Request(
        ADDRESS + path,
        data=json.dumps(body).encode(),
        headers={
            "Authorization": "Bearer " + os.environ["KEYHOLE_KEY"],
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            return answer.status, json.load(answer), 1
    except urllib.error.HTTPError as error:
        wait = error.headers.get("Retry-After", "")
        try:
            problem = json.load(error)
        except ValueError:  # A proxy in front of the service answered.
            problem = {"code": "proxy", "detail": error.reason}
        return error.code, problem, int(wait) if wait.isdigit() else 1
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        return 503, {"code": "unreachable", "detail": str(error)}, 1


def issue(bucket, keys):
    """Issue the links and return the results, in the order of keys."""
    body = {"links": [{"bucket": bucket, "key": key, "expires_in": "2h"} for key in keys]}
    # In a real program the key names the work, so that a restart repeats it too.
    idempotency_key = str(uuid.uuid4())
    for attempt in range(1, ATTEMPTS + 1):
        status, answer, wait = send("/api/v1/links:batch", body, idempotency_key)
        if status == 200:
            results = answer["results"]
            if attempt == ATTEMPTS or all(result["status"] < 500 for result in results):
                return results
        elif attempt == ATTEMPTS or status not in (429, 500, 502, 503, 504):
            raise SystemExit(f"share.py: {answer['code']}: {answer['detail']}")
        time.sleep(wait)


def main():
    if len(sys.argv) < 3:
        raise SystemExit("usage: share.py BUCKET KEY...")
    if "KEYHOLE_KEY" not in os.environ:
        raise SystemExit("share.py: set KEYHOLE_KEY to an operator key")
    failed = False
    for key, result in zip(sys.argv[2:], issue(sys.argv[1], sys.argv[2:])):
        if "link" in result:
            print(key, result["link"]["url"])
            continue
        failed = True
        problem = result["problem"]
        errors = [f"{e['field']}: {e['message']}" for e in problem.get("errors", [])]
        print(f"share.py: {key}: {'; '.join(errors) or problem['detail']}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
