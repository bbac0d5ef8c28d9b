"""Presigns with boto3 what stands on standard input, a JSON object in each line,
and prints a URL for each. TestBoto3Agrees compares them with the signer's."""

import json
import sys

import boto3
from botocore.config import Config

clients = {}
for line in sys.stdin:
    case = json.loads(line)
    style = case["style"]
    if style not in clients:
        clients[style] = boto3.client(
            "s3",
            region_name=case["region"],
            endpoint_url=case["endpoint"],
            aws_access_key_id=case["key_id"],
            aws_secret_access_key=case["secret"],
            aws_session_token=case["token"],
            config=Config(signature_version="s3v4", s3={"addressing_style": style}),
        )
    params = {"Bucket": case["bucket"], "Key": case["key"]}
    for name, parameter in (
        ("version", "VersionId"),
        ("disposition", "ResponseContentDisposition"),
        ("type", "ResponseContentType"),
    ):
        if case[name] and (case["method"] == "GET" or name == "version"):
            params[parameter] = case[name]
    operation = {"GET": "get_object", "HEAD": "head_object"}[case["method"]]
    print(clients[style].generate_presigned_url(operation, Params=params, ExpiresIn=case["expires"]))
