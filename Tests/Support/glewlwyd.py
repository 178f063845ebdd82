#!/usr/bin/env python3
"""Runs a private glewlwyd (an OIDC provider) on loopback, filled with a client and three people, until SIGTERM or until
the process that started it is gone.

    glewlwyd.py DIRECTORY [PORT]        needs glewlwyd, sqlite3 and openssl; PORT 0 or none: a free one

DIRECTORY is made, and removed at the end unless the provider did not start.

Once it answers it prints two lines:
    READY ISSUER
    {"issuer": ..., "client": "gw", "client_secret": ..., "users": {NAME: {"access_token": ..., "id_token": ...}}}
ID tokens are for the audience gw and carry the groups as an array; access tokens carry them as one string with commas.
Tokens live for an hour. More of them come by the password grant, the client authenticated with HTTP Basic; the password of
a person is the name and "password".
"""
import base64
import http.cookiejar
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

CLIENT, CLIENT_SECRET = "gw", "clientsecret"
PEOPLE = {"alice": ["dba", "sre"], "bob": ["deploy-bots"], "carol": ["managers"]}
SCHEMA = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
MODULES = "/usr/lib/glewlwyd"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_configuration(directory, port):
    """A configuration of its own, rather than the package's: that one names the system's database."""
    database = os.path.join(directory, "provider.db")
    if os.path.exists(database):
        os.unlink(database)
    with open(SCHEMA, encoding="utf-8") as schema:
        subprocess.run(["sqlite3", database], stdin=schema, check=True)
    settings = {
        "port": port,
        "external_url": f"http://127.0.0.1:{port}",
        "bind_address": "127.0.0.1",
        "api_prefix": "api",
        "allow_origin": "*",
        "log_mode": "console",
        "log_level": "WARNING",
        "cookie_secure": False,
        "session_expiration": 86400,
        "session_key": "PROVIDER_SESSION",
        "hash_algorithm": "SHA512",
        "admin_scope": "g_admin",
        "profile_scope": "g_profile",
        "user_module_path": f"{MODULES}/user",
        "client_module_path": f"{MODULES}/client",
        "user_auth_scheme_module_path": f"{MODULES}/scheme",
        "plugin_module_path": f"{MODULES}/plugin",
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    lines.append("database = { type = %s; path = %s; };" % (json.dumps("sqlite3"), json.dumps(database)))
    path = os.path.join(directory, "provider.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return path


def signing_key(directory):
    path = os.path.join(directory, "signing.pem")
    make = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path]
    subprocess.run(make, check=True, stderr=subprocess.DEVNULL)
    public = subprocess.run(["openssl", "pkey", "-in", path, "-pubout"], check=True, capture_output=True, text=True).stdout
    with open(path, encoding="utf-8") as file:
        return file.read(), public


class Administration:
    """The provider's own API, as its first administrator."""

    def __init__(self, base):
        self.base = base
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}/api/{path}", data, {"Content-Type": "application/json"}, method=method)
        return self.opener.open(request, timeout=10).read()

    def sign_in(self, server):
        for _ in range(300):
            if server.poll() is not None:
                sys.exit("glewlwyd ended; see provider.log")
            try:
                return self.call("POST", "auth/", {"username": "admin", "password": "password"})
            except urllib.error.URLError:
                time.sleep(0.05)
        sys.exit("glewlwyd does not answer; see provider.log")


def oidc_plugin(base, key, public):
    flows = ["code", "password", "client", "device", "refresh", "id-token"]
    parameters = {f"auth-type-{flow}-enabled": True for flow in flows}
    parameters |= {f"auth-type-{flow}-enabled": False for flow in ["token", "none"]}
    parameters |= {
        "iss": f"{base}/api/oidc", "jwt-type": "rsa", "jwt-key-size": "256", "key": key, "cert": public, "default-kid": "",
        "access-token-duration": 3600, "refresh-token-duration": 86400, "code-duration": 600, "refresh-token-rolling": True,
        "device-authorization-expiration": 600, "device-authorization-interval": 1, "allow-non-oidc": True,
        "subject-type": "public", "allowed-scope": ["openid", "g_profile"], "pkce-allowed": True,
        "pkce-method-plain-allowed": False, "jwks-show": True, "name-claim": "on-demand", "email-claim": "mandatory",
        "scope-claim": "no", "email-claim-scope": [], "address-claim": {"type": "no"},
        "additional-parameters": [{"user-parameter": "groups", "token-parameter": "groups"}],
        "claims": [{"name": "groups", "type": "string", "user-property": "groups", "mandatory": True, "on-demand": False, "scope": []}],
    }
    return {"module": "oidc", "name": "oidc", "display_name": "OIDC", "enabled": True, "parameters": parameters}


def fill(admin, base, key, public):
    def field(multiple):
        return {"multiple": multiple, "read": True, "write": True, "profile-read": multiple, "profile-write": False}

    admin.call("PUT", "mod/user/database", {
        "module": "database", "name": "database", "display_name": "People", "order_rank": 0, "enabled": True, "readonly": False,
        "multiple_passwords": False, "parameters": {"use-glewlwyd-connection": True, "data-format": {"groups": field(True)}}})
    admin.call("PUT", "mod/user/database/reset/")
    admin.call("POST", "mod/plugin/", oidc_plugin(base, key, public))
    for name, groups in PEOPLE.items():
        admin.call("POST", "user/", {
            "username": name, "name": name.title(), "email": f"{name}@example.com", "password": name + "password",
            "enabled": True, "scope": ["openid", "g_profile"], "groups": groups})
    admin.call("POST", "client/", {
        "client_id": CLIENT, "name": CLIENT, "confidential": True, "enabled": True, "client_secret": CLIENT_SECRET,
        "password": CLIENT_SECRET, "scope": ["openid", "g_profile"], "redirect_uri": ["http://127.0.0.1:8091/callback"],
        "authorization_type": ["code", "password", "client_credentials", "device_authorization", "refresh_token"],
        "token_endpoint_auth_method": ["client_secret_basic", "client_secret_post"]})


def tokens(issuer, name):
    form = {"grant_type": "password", "username": name, "password": name + "password", "scope": "openid"}
    request = urllib.request.Request(f"{issuer}/token", urllib.parse.urlencode(form).encode())
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode())
    answer = json.load(urllib.request.urlopen(request, timeout=10))
    return {kind: answer[kind] for kind in ("access_token", "id_token")}


def main():
    parent = os.getppid()
    # A parent's worker thread may have blocked every signal, and masks are inherited.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    directory = os.path.abspath(sys.argv[1])
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    os.makedirs(directory, exist_ok=True)
    port = port or free_port()
    base = f"http://127.0.0.1:{port}"
    configuration = write_configuration(directory, port)
    with open(os.path.join(directory, "provider.log"), "wb") as log:
        server = subprocess.Popen(["glewlwyd", f"--config-file={configuration}"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        admin = Administration(base)
        admin.sign_in(server)
        fill(admin, base, *signing_key(directory))
        issuer = f"{base}/api/oidc"
        people = {name: tokens(issuer, name) for name in PEOPLE}
        print("READY", issuer)
        print(json.dumps({"issuer": issuer, "client": CLIENT, "client_secret": CLIENT_SECRET, "users": people}), flush=True)
        try:
            while os.getppid() == parent:
                time.sleep(0.5)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.url}: {error.code} {error.read().decode(errors='replace')}")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
