"""Signs and checks as carriers do, by libraries of theirs and others': JSON lines in, JSON lines out.

{"cmd":"twilio","token","url","params"}            -> signature of a form (PyPI twilio)
{"cmd":"twilio_body","token","url","body"}         -> url with bodySHA256, and its signature
{"cmd":"twilio_valid","token","url","params","signature"} -> valid
{"cmd":"jwt","secret","claims","body"}             -> a token whose payload_hash is over body (PyPI pyjwt)
{"cmd":"xml","text"}                               -> the document as [tag, attributes, text, children]
"""

import hashlib
import json
import sys
import xml.etree.ElementTree as ElementTree

import jwt
from twilio.request_validator import RequestValidator


def tree(node):
    return [node.tag, node.attrib, (node.text or "").strip(), [tree(child) for child in node]]


def answer(ask):
    kind = ask["cmd"]
    if kind == "twilio":
        return {"signature": RequestValidator(ask["token"]).compute_signature(ask["url"], ask["params"])}
    if kind == "twilio_body":
        digest = hashlib.sha256(ask["body"].encode()).hexdigest()
        url = ask["url"] + "?bodySHA256=" + digest
        validator = RequestValidator(ask["token"])
        signature = validator.compute_signature(url, {})
        assert validator.validate(url, ask["body"], signature)
        return {"url": url, "signature": signature}
    if kind == "twilio_valid":
        return {"valid": RequestValidator(ask["token"]).validate(ask["url"], ask["params"], ask["signature"])}
    if kind == "jwt":
        claims = dict(ask["claims"], payload_hash=hashlib.sha256(ask["body"].encode()).hexdigest())
        return {"token": jwt.encode(claims, ask["secret"], algorithm="HS256")}
    if kind == "xml":
        return {"tree": tree(ElementTree.fromstring(ask["text"].encode()))}
    raise SystemExit("unknown command")


print(json.dumps({"port": 1}), flush=True)
for line in sys.stdin:
    print(json.dumps({"event": "done", **answer(json.loads(line))}), flush=True)
