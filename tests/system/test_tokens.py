# SPDX-License-Identifier: BSD-3-Clause
"""Own keys and their rotation; a WWSF that issues the tokens of its pool by itself."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import DOMAIN, GATEWAY_HOST, Lab  # noqa: E402
from wic import Sip, Ws, http, lease  # noqa: E402

SECRET = os.urandom(32)
ORIGIN = "https://theirs.example"


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(secret, issuer, impu, ims, **claims):
    """A lease as its WWSF gives it, by HS256."""
    now = int(time.time())
    payload = {"iss": issuer, "aud": f"ep-cscf.{DOMAIN}", "client_id": "c", "jti": b64(os.urandom(8)),
               "iat": now, "nbf": now, "exp": now + 600, "scope": "ims.register",
               "ims": {"impi": impu[4:], "impu": [impu], "scn": 3, **ims}, **claims}
    text = ".".join(b64(json.dumps(x).encode()) for x in (
        {"typ": "at+jwt", "alg": "HS256", "kid": "k1"}, payload))
    mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return {"impu": impu, "token": f"{text}.{b64(mac)}"}


class LabWithPool(Lab):
    def make_identities(self):
        super().make_identities()
        self.write("theirs.txt", "".join(f"t{i}@{DOMAIN} sip:t{i}@{DOMAIN}\n" for i in range(4)))
        self.write("theirs.json", json.dumps({"keys": [
            {"kty": "oct", "alg": "HS256", "kid": "k1", "k": b64(SECRET)}]}))


class Tokens(GatewayCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = LabWithPool(conf={
            "wwsfs": f"\n  - id: demo\n    origins: [\"https://{GATEWAY_HOST}\"]"
                     f"\n  - {{id: theirs, origins: [\"{ORIGIN}\"], issuer: {ORIGIN}, jwks: theirs.json}}",
            "pools": "\n  - {name: demo, wwsf: demo, file: pool.txt, anonymous: allow}"
                     "\n  - {name: theirs, wwsf: theirs, file: theirs.txt}",
        })
        cls.lab.up()

    def theirs(self, i, gen=1, secret=SECRET, **claims):
        return signed(secret, **{"issuer": ORIGIN, "impu": f"sip:t{i}@{DOMAIN}", "sub": f"u{i}-{gen}",
                                 "ims": {"wwsf": "theirs", "pool": "theirs", "idx": i, "gen": gen}, **claims})

    def register(self, given, origin=ORIGIN):
        with Ws(origin=origin) as ws:
            return Sip(ws, given).register()

    def test_token_of_another_issuer(self):
        given = self.theirs(0, gen=7)
        with Ws(origin=ORIGIN) as ws:
            sip = Sip(ws, given)
            self.assertEqual(sip.register().status, 200)
            before = len(self.lab.core_requests())
            self.assertEqual(sip.register().status, 200)  # absorbed: it is a lease like any other
            self.assertEqual(len(self.lab.core_requests()), before)
        shown = self.lab.ctl("lease", "show", given["impu"])["data"]
        self.assertEqual((shown["gen"], shown["sub"]), (7, "u0-7"))
        self.lab.ctl("lease", "revoke", given["impu"])
        self.assertEqual(self.register(given).status, 401)

    def test_refusals(self):
        now = int(time.time())
        for name, status, given, origin in (
                ("forged", 401, self.theirs(1, secret=os.urandom(32)), ORIGIN),
                ("expired", 401, self.theirs(1, exp=now - 1), ORIGIN),
                ("too long", 401, self.theirs(1, exp=now + 10 ** 6), ORIGIN),
                ("audience", 401, self.theirs(1, aud="other"), ORIGIN),
                ("issuer", 401, self.theirs(1, iss="https://nobody.example"), ORIGIN),
                ("page", 403, self.theirs(1), f"https://{GATEWAY_HOST}")):
            with self.subTest(name):
                self.assertEqual(self.register(given, origin).status, status)
        self.assertEqual(self.register(self.theirs(1)).status, 200)

    def test_rotation(self):
        def published():
            answer = http("GET", "/.well-known/jwks.json")
            self.assertEqual(answer.status, 200)
            return [k["kid"] for k in answer.json()["keys"]]

        def kid_of(token):
            head = token.split(".")[0]
            return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]

        old = lease()
        self.assertEqual(published(), [kid_of(old["token"])])
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out",
                        self.lab.path("token.key")], check=True, capture_output=True)
        answer = self.lab.ctl("token", "reload")["data"]
        keys = answer["keys"]
        self.assertEqual(answer["withdrawal_pending"], [])
        self.assertEqual([(k["alg"], k["state"]) for k in keys],
                         [("EdDSA", "signs"), ("ES256", "ending")])
        new = lease()
        self.assertEqual(published(), [kid_of(new["token"]), kid_of(old["token"])])
        for given in (old, new):  # nobody is signed out
            self.assertEqual(self.register(given, f"https://{GATEWAY_HOST}").status, 200)


class ThirdParties(GatewayCase):
    """Two WWSFs of somebody else's, each with a pool, a key and a page of its own."""

    NAMES = ("a", "b")

    @classmethod
    def setUpClass(cls):
        cls.secrets = {w: os.urandom(32) for w in cls.NAMES}
        cls.lab = Lab(prepare=cls.write_files, conf={
            "wwsfs": f"\n  - id: demo\n    origins: [\"https://{GATEWAY_HOST}\"]" + "".join(
                f"\n  - {{id: {w}, origins: [\"https://{w}.example\"], issuer: https://{w}.example, "
                f"jwks: {w}.json}}" for w in cls.NAMES),
            "pools": "\n  - {name: demo, wwsf: demo, file: pool.txt, anonymous: allow}" + "".join(
                f"\n  - {{name: {w}, wwsf: {w}, file: {w}.txt}}" for w in cls.NAMES)})
        cls.lab.up()

    @classmethod
    def write_files(cls, lab):
        for w in cls.NAMES:
            lab.write(f"{w}.txt", "".join(f"{w}{i}@{DOMAIN} sip:{w}{i}@{DOMAIN}\n" for i in range(2)))
            lab.write(f"{w}.json", json.dumps({"keys": [
                {"kty": "oct", "alg": "HS256", "kid": "k1", "k": b64(cls.secrets[w])}]}))

    def status(self, key="a", page="a", iss="a", wwsf="a", pool="a", pair="a"):
        """Of a REGISTER with a token that is as said, for the pair 0 of one of them."""
        given = signed(self.secrets[key], f"https://{iss}.example", f"sip:{pair}0@{DOMAIN}",
                       {"wwsf": wwsf, "pool": pool, "idx": 0, "gen": 1}, sub="u")
        with Ws(origin=f"https://{page}.example") as ws:
            return Sip(ws, given).register().status

    def test_t25_each_has_its_own(self):
        """T25: its key, its pool and its page; what is another's is refused, and the core hears of none."""
        for status, forged in (
                (403, {"pool": "b", "pair": "b"}),               # A asks for B's pair
                (403, {"pair": "b"}), (403, {"pool": "b"}),      # half of it
                (403, {"pool": "demo", "pair": "pool-00001"}),   # the gateway's own
                (401, {"wwsf": "b", "pool": "b", "pair": "b"}),  # A speaks for B
                (401, {"iss": "b", "wwsf": "b", "pool": "b", "pair": "b", "page": "b"}),  # A's key as B's
                (403, {"page": "b"})):                           # A's token on B's page
            with self.subTest(forged):
                self.assertEqual(self.status(**forged), status)
        for pool in ("b", "demo"):
            answer = http("POST", "/v1/lease", {"anonymous": True, "pool": pool}, origin="https://a.example")
            self.assertEqual(answer.status, 403)
        self.assertEqual(self.lab.core_requests(), [])
        for pool in self.lab.ctl("pool", "list")["data"]["pools"]:  # nor is anything taken
            self.assertEqual(pool["free"], pool["pairs"], pool)
        self.assertEqual(self.status(**dict.fromkeys(("key", "page", "iss", "wwsf", "pool", "pair"), "b")), 200)
        self.assertEqual(self.status(), 200)


if __name__ == "__main__":
    main()
