"""Opens links with requests: one JSON object on standard input for each, one on
standard output for what came of it."""

import hashlib
import json
import sys

import requests

session = requests.Session()
for line in sys.stdin:
    asked = json.loads(line)
    headers = {"Range": asked["range"]} if asked["range"] else {}
    try:
        answer = session.request(
            asked["method"], asked["url"], headers=headers, allow_redirects=True, timeout=60
        )
        said = {
            "status": answer.status_code,
            "length": answer.headers.get("Content-Length", ""),
            "size": len(answer.content),
            "sha256": hashlib.sha256(answer.content).hexdigest(),
        }
    except requests.RequestException as e:
        said = {"error": str(e)}
    print(json.dumps(said), flush=True)
