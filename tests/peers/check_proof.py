"""Verifies a proof with PyJWT, offline: {"jwks", "proof", "audience"} on standard input, {"header", "claims"} or
{"error": kind} on standard output."""

import json
import sys

import jwt

question = json.load(sys.stdin)
try:
    header = jwt.get_unverified_header(question["proof"])
    key = jwt.PyJWKSet.from_dict(question["jwks"])[header["kid"]]
    claims = jwt.decode(
        question["proof"],
        key,
        algorithms=["EdDSA"],
        audience=question["audience"],
        options={"require": ["exp", "iat", "sub", "aud", "iss", "jti"]},
    )
    print(json.dumps({"header": header, "claims": claims}))
except (jwt.PyJWTError, KeyError, ValueError) as error:
    print(json.dumps({"error": type(error).__name__}))
