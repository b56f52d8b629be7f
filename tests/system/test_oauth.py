# SPDX-License-Identifier: BSD-3-Clause
"""WWSFs of somebody else's with real servers: keys over HTTPS, introspection (RFC 7662); and servers that
ask this gateway, or have it end a token (RFC 7009)."""

import base64
import os
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import DOMAIN, GATEWAY_HOST, Lab, wait_for  # noqa: E402
from third_party import Key, ThirdParty, claims  # noqa: E402
from wic import Closed, Sip, Ws, lease, tls_connect  # noqa: E402

SECRET = "0123456789abcdef" * 4
CACHE_S = 16
SIGNS, ASKED = "https://signs.example", "https://asked.example"


class LabWithThird(Lab):
    def make_identities(self):
        super().make_identities()
        for wwsf in ("signs", "asked"):
            self.write(f"{wwsf}.txt", "".join(
                f"{wwsf}{i}@{DOMAIN} sip:{wwsf}{i}@{DOMAIN}\n" for i in range(16)))
        self.write("im.secret", SECRET + "\n")
        self.write("far.secret", SECRET[::-1])
        self.write("third.secret", ThirdParty.SECRET + "\n")

    def up(self):
        third = None

        def prepare(lab):  # within the namespace
            nonlocal third
            third = self.third = ThirdParty(lab.dir)
            third.keys = [self.key.jwk]
            with open(lab.path("regated.yaml")) as f:
                text = f.read()
            lab.write("regated.yaml", text.replace("THIRD", third.uri))

        self.key = Key(self.dir, "k1")
        self.opts["prepare"] = prepare
        super().up()

    def down(self):
        self.third.close()
        super().down()


class OAuth(GatewayCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = LabWithThird(core_args=("--min-expires", "1"), conf={
            "registration": {"client_min": "1s", "guard": "0s", "client_max": "60s"},
            "wwsfs": f"\n  - id: demo\n    origins: [\"https://{GATEWAY_HOST}\"]"
                     f"\n  - {{id: signs, origins: [\"{SIGNS}\"], issuer: {SIGNS}, jwks_uri: \"THIRD/jwks\","
                     " jwks_ca: ca.pem}"
                     f"\n  - {{id: asked, origins: [\"{ASKED}\"], issuer: {ASKED},"
                     " introspection_uri: \"THIRD/introspect\", introspection_id: gateway,"
                     " introspection_secret_file: third.secret, introspection_ca: ca.pem,"
                     f" introspection_cache: {CACHE_S}s}}",
            "pools": "\n  - {name: demo, wwsf: demo, file: pool.txt, anonymous: allow}"
                     "\n  - {name: signs, wwsf: signs, file: signs.txt}"
                     "\n  - {name: asked, wwsf: asked, file: asked.txt}",
            "clients": "\n  - {id: im, secret_file: im.secret}"
                       "\n  - {id: far, secret_file: far.secret, wwsf: signs}",
        })
        cls.lab.up()
        cls.third = cls.lab.third

    def setUp(self):
        self.third.status, self.third.delay = 200, 0

    def signed(self, i, key=None, **more):
        return {"impu": f"sip:signs{i}@{DOMAIN}",
                "token": (key or self.lab.key).sign(claims(SIGNS, "signs", i, **more))}

    def opaque(self, i, **more):
        token = base64.b64encode(os.urandom(24)).decode()
        self.third.tokens[token] = claims(ASKED, "asked", i, **more)
        return {"impu": f"sip:asked{i}@{DOMAIN}", "token": token}

    def register(self, given, origin):
        with Ws(origin=origin) as ws:
            return Sip(ws, given).register().status

    def post(self, path, token, secret=SECRET, client="im", **more):
        pair = base64.b64encode(f"{client}:{secret}".encode()).decode()
        body = urllib.parse.urlencode({"token": token, **more}).encode()
        with tls_connect() as sock:
            head = (f"POST {path} HTTP/1.1\r\nHost: {GATEWAY_HOST}\r\nAuthorization: Basic {pair}\r\n"
                    "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n")
            sock.sendall(head.encode() + body)
            data = b""
            while more := sock.recv(65536):
                data += more
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    # --- keys over HTTPS

    def test_keys_over_https(self):
        given = self.signed(0)
        self.assertEqual(self.register(given, SIGNS), 200)
        self.assertIn("/jwks", self.third.asked)
        stranger = Key(self.lab.dir, "k1-of-nobody")
        stranger.kid = "k1"
        self.assertEqual(self.register(self.signed(1, key=stranger), SIGNS), 401)

    def test_withdrawn_key(self):
        """A key that leaked: its tokens end with the operator's reload, those of the next key do not."""
        leaked, after = self.lab.key, Key(self.lab.dir, "k2")
        self.third.keys = [leaked.jwk, after.jwk]
        self.lab.ctl("token", "reload")
        wait_for("the new key", lambda: '"keys":2' in self.lab.log("regated")
                 or "keys=2" in self.lab.log("regated"))
        old, new = self.signed(4, key=leaked), self.signed(5, key=after)
        with Ws(origin=SIGNS) as ws, Ws(origin=SIGNS) as other:
            sip, kept = Sip(ws, old), Sip(other, new)
            self.assertEqual(sip.register().status, 200)
            self.assertEqual(kept.register().status, 200)
            self.third.keys = [after.jwk]
            self.lab.ctl("token", "reload")
            with self.assertRaises(Closed) as closed:
                ws.recv()
            self.assertEqual(closed.exception.code, 1008)
            self.assertEqual(kept.register().status, 200)
        self.assertEqual(self.register(old, SIGNS), 401)
        self.assertEqual(self.register(self.signed(6, key=leaked), SIGNS), 401)
        self.third.keys = [leaked.jwk, after.jwk]
        self.lab.ctl("token", "reload")
        wait_for("the keys as before", lambda: self.register(self.signed(7), SIGNS) == 200)

    # --- the gateway asks

    def test_opaque_token(self):
        given = self.opaque(0)
        self.assertEqual(self.register(given, ASKED), 200)
        self.assertEqual(self.lab.ctl("lease", "show", given["impu"])["data"]["sub"], "u0-1")
        self.assertEqual(self.register({**given, "token": "unknown"}, ASKED), 401)
        self.assertEqual(self.register(self.opaque(1, scope="other"), ASKED), 401)
        self.assertEqual(self.register(self.opaque(1, aud="other"), ASKED), 401)
        self.assertEqual(self.register(self.opaque(1, exp=int(time.time()) - 1), ASKED), 401)
        self.assertEqual(self.register(self.opaque(1), SIGNS), 401)  # whom would it be asked?

    def test_nobody_answers(self):
        given = self.opaque(2)
        for status in (500, 503, 401, 302):
            self.third.status = status
            self.assertEqual(self.register(given, ASKED), 503, status)
        self.third.status = 200
        self.assertEqual(self.register(given, ASKED), 200)

    def test_hanging_server(self):
        """It costs its own clients a refusal, and nobody else anything."""
        self.third.delay = 7  # more than the gateway waits
        given = self.opaque(3)
        with Ws(origin=ASKED) as ws:
            sip = Sip(ws, given)
            ws.send(sip.register_text())
            self.assertEqual(self.register(lease(), f"https://{GATEWAY_HOST}"), 200)
            self.assertIn("SIP/2.0 503", ws.recv())

    def test_asked_again(self):
        """Its word holds for a while: asked again before that, withdrawn there means ended here."""
        given = self.opaque(8)
        with Ws(origin=ASKED, timeout=60) as ws:
            sip = Sip(ws, given)
            self.assertEqual(sip.register().status, 200)
            time.sleep(1.5 * CACHE_S)
            self.assertEqual(sip.register().status, 200)
            del self.third.tokens[given["token"]]
            with self.assertRaises(Closed) as closed:
                ws.recv()
            self.assertEqual(closed.exception.code, 1008)
        self.assertEqual(self.register(given, ASKED), 401)

    def test_not_asked_for_longer(self):
        """While nobody can be asked, the last word runs out."""
        given = self.opaque(9)
        with Ws(origin=ASKED, timeout=60) as ws:
            sip = Sip(ws, given)
            self.assertEqual(sip.register().status, 200)
            self.third.status = 500
            time.sleep(CACHE_S + 1)
            try:
                self.assertEqual(sip.register().status, 503)
            except Closed as e:
                self.assertEqual(e.code, 1008)
        self.assertEqual(self.register(given, ASKED), 503)

    # --- the gateway is asked

    def test_introspection(self):
        given = lease()
        status, body = self.post("/v1/introspect", given["token"])
        self.assertEqual(status, 200)
        for part in ('"active":true', '"scope":"ims.register"', '"client_id":"wic-web"', given["impu"]):
            self.assertIn(part, body)
        self.assertEqual(self.post("/v1/introspect", "x"), (200, '{"active":false}'))
        self.assertEqual(self.post("/v1/introspect", given["token"], SECRET[::-1], "far"),
                         (200, '{"active":false}'))
        self.assertEqual(self.post("/v1/introspect", given["token"], "wrong")[0], 401)
        other = self.opaque(10)
        self.assertEqual(self.register(other, ASKED), 200)
        status, body = self.post("/v1/introspect", other["token"])
        self.assertIn('"active":true', body)
        self.assertIn(f'"iss":"{ASKED}"', body)

    def test_revocation(self):
        given = lease()
        with Ws() as ws:
            sip = Sip(ws, given)
            self.assertEqual(sip.register().status, 200)
            status, _ = self.post("/v1/revoke", given["token"], token_type_hint="whatever")
            self.assertEqual(status, 200)
            with self.assertRaises(Closed) as closed:  # on its worker
                ws.recv()
            self.assertEqual(closed.exception.code, 1008)
        self.assertEqual(self.register(given, f"https://{GATEWAY_HOST}"), 401)
        self.assertEqual(self.post("/v1/introspect", given["token"]), (200, '{"active":false}'))
        self.assertEqual(self.post("/v1/revoke", given["token"])[0], 200)
        self.assertEqual(self.post("/v1/revoke", given["token"], "wrong")[0], 401)

    def test_no_secret_in_the_log(self):
        given = self.opaque(11)
        self.assertEqual(self.register(given, ASKED), 200)
        self.post("/v1/introspect", given["token"])
        self.post("/v1/revoke", given["token"], "wrong" * 10)
        log = self.lab.log("regated")
        for text in (SECRET, SECRET[::-1], ThirdParty.SECRET, given["token"], "wrongwrong",
                     base64.b64encode(f"im:{SECRET}".encode()).decode()):
            self.assertNotIn(text, log)


if __name__ == "__main__":
    main()
