# SPDX-License-Identifier: BSD-3-Clause
"""Tokens, origins and identities that must be refused, and that nothing of it reaches the core."""

import base64
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import DOMAIN, GATEWAY_HOST  # noqa: E402
from wic import Closed, Sip, Ws, http, lease  # noqa: E402


def flip(token, part):
    """The token with one bit of one of its parts changed."""
    parts = token.split(".")
    c = parts[part][5]
    parts[part] = parts[part][:5] + ("A" if c != "A" else "B") + parts[part][6:]
    return ".".join(parts)


def unsigned(token):
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()).decode()
    return head.rstrip("=") + "." + token.split(".")[1] + "."


class Refusals(GatewayCase):
    lab_args = {"core_args": ["--min-expires", "5"], "conf": {
        "token": {"anonymous_life": "14s"},
        "registration": {"client_min": "10s", "guard": "1s"},
        "wwsfs": f"\n  - id: demo\n    origins: [\"https://{GATEWAY_HOST}\", \"https://ok.example\"]"
                 "\n  - id: other\n    origins: [\"https://other.example\"]",
    }}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.account = lease(account="alice", password="correct horse")

    def seen_of_alice(self):
        """Requests at the core; leases of other tests may end meanwhile."""
        return sum(self.account["impu"] in r["to"] for r in self.lab.core_requests())

    def refused(self, status, error=None, **kw):
        """One REGISTER on a fresh flow: refused with that status, and the core sees nothing."""
        before = self.seen_of_alice()
        origin = kw.pop("origin", f"https://{GATEWAY_HOST}")
        token = kw.pop("token", True)
        with Ws(origin=origin) as ws:
            sip = Sip(ws, self.account, token=token)
            answer = sip.register(**kw)
        self.assertEqual(answer.status, status, answer.text)
        self.assertEqual(self.seen_of_alice(), before)
        self.assertEqual(answer.one("Contact"), None)
        if status == 401:
            challenge = answer.one("WWW-Authenticate")
            self.assertTrue(challenge.startswith("Bearer "), challenge)
            self.assertIn(f'realm="{DOMAIN}"', challenge)
            self.assertIn("authz_server=", challenge)
            self.assertEqual("error=" in challenge, error is not None, challenge)
            if error:
                self.assertIn(f'error="{error}"', challenge)
        return answer

    def test_missing_token(self):
        self.refused(401, token=None)

    def test_token_of_another_scheme(self):
        self.refused(401, auth="Basic Zm9vOmJhcg==")
        self.refused(401, auth='Digest username="x", realm="y", nonce="", uri="sip:a", response="", '
                               'integrity-protected="auth-done"')

    def test_wrong_tokens(self):
        good = self.account["token"]
        for wrong in ("abc", "a.b.c", good[:-1], good + "A", flip(good, 0), flip(good, 1), flip(good, 2),
                      unsigned(good), good.split(".")[1], "." * 3, good.upper()):
            with self.subTest(wrong[:20]):
                self.refused(401, "invalid_token", token=wrong)

    def test_foreign_token(self):
        # Signed by nobody we know, with claims that would fit.
        head, claims, _ = self.account["token"].split(".")
        self.refused(401, "invalid_token", token=f"{head}.{claims}." + "A" * 86)

    def test_expired_token(self):
        given = lease()
        with Ws() as ws:
            sip = Sip(ws, given)
            self.assertEqual(sip.register().status, 200)
            end = time.monotonic() + given["expires_in"] + 0.5
            while time.monotonic() < end:
                time.sleep(0.5)
            try:
                answer = sip.register()
                self.assertEqual(answer.status, 401, answer.text)
                self.assertIn('error="invalid_token"', answer.one("WWW-Authenticate"))
            except Closed as e:
                self.assertEqual(e.code, 1008)  # the gateway ended the flow with the lease
        with Ws() as ws:
            answer = Sip(ws, given).register()
            self.assertEqual(answer.status, 401, answer.text)

    def test_both_bearer_syntaxes(self):
        with Ws() as ws:
            sip = Sip(ws, self.account)
            answer = sip.register(auth=f'Bearer access_token="{self.account["token"]}"')
            self.assertEqual(answer.status, 200, answer.text)

    def test_token_twice(self):
        self.refused(400, extra=f"Authorization: Bearer {self.account['token']}\r\n")

    def test_identity_of_another(self):
        self.refused(403, to=f"sip:bob@{DOMAIN}")
        self.refused(403, from_=f"sip:bob@{DOMAIN}")

    def test_origin_of_another_wwsf(self):
        self.refused(403, origin="https://other.example")

    def test_wrong_origins(self):
        for origin in ("https://evil.example", "null", f"http://{GATEWAY_HOST}", f"https://{GATEWAY_HOST}:444",
                       f"https://{GATEWAY_HOST}.evil.example", f"https://x{GATEWAY_HOST}", None):
            with self.subTest(origin), Ws(origin=origin) as ws:
                self.assertEqual(ws.status, 403)
        with Ws(origin="https://ok.example") as ws:
            self.assertEqual(ws.status, 101)
        with Ws(origin=f"HTTPS://{GATEWAY_HOST}:443") as ws:
            self.assertEqual(ws.status, 101)
        self.assertGreaterEqual(self.stat("drop_ws_origin"), 7)

    def test_missing_or_wrong_subprotocol(self):
        for protocol in (None, "chat", "SIP", "sips"):
            with self.subTest(protocol), Ws(protocol=protocol) as ws:
                self.assertEqual(ws.status, 400)
        with Ws(protocol="chat, sip") as ws:
            self.assertEqual(ws.status, 101)

    def test_wrong_websocket_version(self):
        with Ws(version="8") as ws:
            self.assertEqual(ws.status, 426)
            self.assertEqual(ws.headers["sec-websocket-version"], "13")

    def test_anything_but_register_on_an_unbound_flow(self):
        with Ws() as ws:
            sip = Sip(ws, self.account)
            for method in ("INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS"):
                self.assertEqual(sip.register(method=method).status, 403, method)

    def test_deregister_without_token_on_an_unbound_flow(self):
        self.refused(401, token=None, expires=0)

    def test_lease_api(self):
        cases = [
            ({"account": "alice", "password": "wrong"}, 401),
            ({"account": "nobody", "password": "wrong"}, 401),
            ({"account": "alice"}, 400),
            ({"anonymous": "yes"}, 400),
            (b"{", 400),
            (b"[]", 400),
        ]
        for body, status in cases:
            with self.subTest(body):
                self.assertEqual(http("POST", "/v1/lease", body).status, status)
        self.assertEqual(http("POST", "/v1/lease", {"anonymous": True},
                              origin="https://evil.example").status, 403)
        self.assertEqual(http("POST", "/v1/lease", {"anonymous": True},
                              origin="https://other.example").status, 403)
        self.assertEqual(http("POST", "/v1/lease/refresh", {}).status, 401)
        self.assertEqual(http("GET", "/v1/nothing").status, 404)
        self.assertEqual(http("GET", "/nothing").status, 404)


if __name__ == "__main__":
    main()
