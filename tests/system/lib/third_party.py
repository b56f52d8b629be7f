# SPDX-License-Identifier: BSD-3-Clause
"""The server of somebody else's WWSF, over HTTPS with a certificate of its own: publishes keys, signs
tokens with them, and answers introspection (RFC 7662) about opaque ones."""

import base64
import http.server
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.parse

from lab import DOMAIN


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def integer(der, at):
    """An INTEGER of a DER signature as 32 bytes, and where the next one begins."""
    n = der[at + 1]
    return int.from_bytes(der[at + 2:at + 2 + n], "big").to_bytes(32, "big"), at + 2 + n


class Key:
    """EC P-256, made and used by openssl."""

    def __init__(self, folder, kid):
        self.kid, self.file = kid, os.path.join(folder, f"{kid}.pem")
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.file],
                       check=True)
        point = subprocess.run(["openssl", "ec", "-in", self.file, "-pubout", "-outform", "DER"],
                               check=True, capture_output=True).stdout[-64:]
        self.jwk = {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": kid, "x": b64(point[:32]),
                    "y": b64(point[32:])}

    def sign(self, claims):
        text = ".".join(b64(json.dumps(part).encode()) for part in (
            {"typ": "at+jwt", "alg": "ES256", "kid": self.kid}, claims))
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.file], input=text.encode(),
                             check=True, capture_output=True).stdout
        r, at = integer(der, 2)
        s, _ = integer(der, at)
        return f"{text}.{b64(r + s)}"


class ThirdParty:
    """Its answers are as its fields say; folder gets its certificate, ca.pem."""

    CLIENT, SECRET = "gateway", "a secret/with:odd&characters+"

    def __init__(self, folder):
        self.keys, self.tokens = [], {}  # JWKs; opaque token: claims
        self.status, self.delay = 200, 0
        self.asked = []  # paths
        key, self.ca = os.path.join(folder, "third.key"), os.path.join(folder, "ca.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=theirs",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", self.ca],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.uri = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handler(self):
        third = self
        pair = ":".join(urllib.parse.quote(x, safe="") for x in (self.CLIENT, self.SECRET))
        basic = "Basic " + base64.b64encode(pair.encode()).decode()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body):
                third.asked.append(self.path)
                time.sleep(third.delay)
                data = json.dumps(body).encode()
                self.send_response(third.status if third.status != 200 else status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                self.answer(200, {"keys": third.keys})

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                if self.headers["Authorization"] != basic:
                    self.answer(401, {"error": "invalid_client"})
                    return
                claims = third.tokens.get(form["token"][0])
                self.answer(200, {"active": False} if claims is None else {"active": True, **claims})

            def log_message(self, *args):
                pass

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    pass  # the gateway did not wait

        return Handler

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def claims(issuer, wwsf, i, gen=1, life=600, **more):
    """What a token of that WWSF says of its i-th pair."""
    now = int(time.time())
    return {"iss": issuer, "aud": f"ep-cscf.{DOMAIN}", "sub": f"u{i}-{gen}", "client_id": "c",
            "jti": b64(os.urandom(8)), "iat": now, "nbf": now, "exp": now + life,
            "scope": "ims.register",
            "ims": {"impi": f"{wwsf}{i}@{DOMAIN}", "impu": [f"sip:{wwsf}{i}@{DOMAIN}"], "wwsf": wwsf,
                    "pool": wwsf, "idx": i, "gen": gen, "scn": 3}, **more}
