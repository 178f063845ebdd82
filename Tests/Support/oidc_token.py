#!/usr/bin/env python3
"""Print an id_token of the test provider, by the password grant.

usage: oidc_token.py ISSUER USER      the password of a test user is the name + "password"
"""
import sys

import requests

issuer, user = sys.argv[1:3]
discovery = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10)
discovery.raise_for_status()
answer = requests.post(
    discovery.json()["token_endpoint"],
    auth=("gw", "clientsecret"),
    data={"grant_type": "password", "username": user, "password": user + "password", "scope": "openid g_profile"},
    timeout=10,
)
if not answer.ok:
    sys.exit(f"oidc_token.py: {answer.status_code} {answer.text}")
print(answer.json()["id_token"])
