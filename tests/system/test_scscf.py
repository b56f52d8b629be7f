# SPDX-License-Identifier: BSD-3-Clause
"""Kamailio's I-CSCF and S-CSCF behind the gateway, with Diameter Cx towards an HSS: registrations are
assigned and ended there for the identities of the lease, each client is bound once with its Path,
and what the S-CSCF granted is what the client may count on."""

import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import DOMAIN, wait_for  # noqa: E402
from wic import Sip, Ws, lease  # noqa: E402

# User-Authorization-Type and Server-Assignment-Type (TS 29.229 6.3.24, 6.3.15).
AUTHORIZE, AUTHORIZE_END = ("UAR", 0), ("UAR", 1)
ASSIGN, ASSIGN_AGAIN, ASSIGN_END = ("SAR", 1), ("SAR", 2), ("SAR", 5)
FIRST, AGAIN, END = [AUTHORIZE, ASSIGN], [AUTHORIZE, ASSIGN_AGAIN], [AUTHORIZE_END, ASSIGN_END]
PATH = rf"^<sip:l\d+\.g\d+\.\w+@epcscf1\.{DOMAIN}:5060;transport=(tcp|udp);lr;ob>$"


class ScscfCase(GatewayCase):
    def bindings(self, impu):
        return [b for b in self.lab.scscf_bindings() if b["impu"] == impu]

    def asked(self, impu):
        """What the HSS was asked about impu: [(command, type)]."""
        return [(r["command"], r["type"]) for r in self.lab.hss_requests(impu)]

    def check_bound(self, sip, given):
        """Exactly one binding, of this client, with the pair of the lease and the gateway's Path."""
        found = self.bindings(given["impu"])
        self.assertEqual([b["contact"] for b in found], [f"sip:u@{sip.host};transport=ws"])
        self.assertEqual(found[0]["impi"], given["impi"])
        self.assertRegex(found[0]["path"], PATH)
        return found[0]

    def register(self, ws, given, **kw):
        sip = Sip(ws, given)
        answer = sip.register(**kw)
        self.assertEqual(answer.status, 200, answer.text)
        return sip, answer

    def account(self, name):
        return lease(account=name, password="correct horse")


class Scscf(ScscfCase):
    transport = "tcp"
    lab_args = {
        "core": "scscf",
        "core_args": ("--unknown", "unknown", "--broken", "broken"),
        "accounts": ("unknown1", "broken1", "bob"),
        "conf": {"core": {"transport": transport}, "registration": {"client_max": "600s", "max": "600s"}},
    }

    def test_register_refresh_deregister(self):
        with Ws() as ws:
            given = lease()
            sip, first = self.register(ws, given, expires=600)
            self.assertEqual(self.asked(given["impu"]), FIRST)
            bound = self.check_bound(sip, given)
            self.assertEqual(bound["path"], first.one("Path"))
            self.assertIn(f"transport={self.transport}", bound["path"])
            self.assertEqual(first.one("P-Associated-URI"), f"<{given['impu']}>")
            self.assertEqual(first.one("Service-Route"), f"<sip:orig@scscf.{DOMAIN}:6061;lr>")

            before = self.stat("reg_local_ok")
            for _ in range(2):
                self.assertEqual(sip.register(expires=600).status, 200)
            self.assertEqual(self.stat("reg_local_ok"), before + 2)
            self.assertEqual(self.asked(given["impu"]), FIRST)

            self.assertEqual(sip.register(expires=0).status, 200)
        self.assertEqual(self.bindings(given["impu"]), [])
        requests = self.lab.hss_requests(given["impu"])
        self.assertEqual(self.asked(given["impu"]), FIRST + END)
        self.assertEqual({r["impi"] for r in requests}, {given["impi"]})
        self.assertEqual({r["result"] for r in requests}, {2001})

    def test_granted_less_than_requested(self):
        # The S-CSCF keeps 600 s and says 540 s. The gateway's guard is 10 s, and its jitter cannot
        # take a grant that ignores the S-CSCF so far down: 590 s less 10 %.
        with Ws() as ws:
            given = self.account("bob")
            sip, answer = self.register(ws, given, expires=600)
            self.assertIn(self.check_bound(sip, given)["expires"], range(590, 601))
            self.assertIn(f"impu={given['impu']} expires={sip.granted(answer)} core_expires=540",
                          self.lab.log("regated"))
            self.assertIn(sip.granted(answer), range(477, 531))
            self.assertLessEqual(sip.granted(sip.register(expires=600)), 530)
            self.assertEqual(sip.register(expires=0).status, 200)

    def test_page_reload_leaves_one_binding(self):
        given = lease()
        with Ws() as old, Ws() as new:
            self.register(old, given)
            sip, _ = self.register(new, given)
            self.check_bound(sip, given)
            self.assertEqual(self.asked(given["impu"]), FIRST + AGAIN)
            self.assertEqual(sip.register(expires=0).status, 200)
        self.assertEqual(self.bindings(given["impu"]), [])
        self.assertEqual(self.asked(given["impu"]), FIRST + AGAIN + END)

    def test_pool_clients_never_share(self):
        flows = [Ws() for _ in range(8)]
        try:
            clients = [(*self.register(ws, given), given) for ws, given in
                       [(ws, lease()) for ws in flows]]
            bound = [self.check_bound(sip, given) for sip, _, given in clients]
            for key in ("impu", "impi", "contact", "path"):
                self.assertEqual(len({b[key] for b in bound}), len(clients), key)
            for sip, _, _ in clients[::2]:
                self.assertEqual(sip.register(expires=0).status, 200)
            for i, (sip, _, given) in enumerate(clients):
                if i % 2 == 0:
                    self.assertEqual(self.bindings(given["impu"]), [])
                else:
                    self.check_bound(sip, given)
                    self.assertEqual(self.asked(given["impu"]), FIRST)
                    self.assertEqual(sip.register(expires=0).status, 200)
        finally:
            for ws in flows:
                ws.sock.close()

    def test_refused_by_the_hss(self):
        # Unknown to the UAR: 403 of the I-CSCF. Not to be assigned by the SAR: 500 of the S-CSCF.
        for account, status, asked, result in (("unknown1", 403, [AUTHORIZE], 5001),
                                               ("broken1", 500, FIRST, 5012)):
            with self.subTest(account), Ws() as ws:
                given = self.account(account)
                sip = Sip(ws, given)
                for n in (1, 2):
                    answer = sip.register()
                    self.assertEqual(answer.status, status, answer.text)
                    self.assertIsNone(answer.one("Contact"))
                    self.assertEqual(self.asked(given["impu"]), asked * n)
                self.assertEqual(self.lab.hss_requests(given["impu"])[-1]["result"], result)
                self.assertEqual(self.bindings(given["impu"]), [])
                other = lease()
                with Ws() as well:
                    self.check_bound(self.register(well, other)[0], other)
        self.assertIsNone(self.lab.regated.poll())

    def test_jssip(self):
        client = self.lab.node("jssip_client.js", HOLD="1")
        steps = {}
        for line in client.stdout:
            step = json.loads(line)
            steps[step["step"]] = step
            if step["step"] == "registered":
                impu = steps["lease"]["impu"]
                found = self.bindings(impu)
                self.assertEqual(len(found), 1, found)
                self.assertRegex(found[0]["path"], PATH)
                client.stdin.write("\n")
                client.stdin.flush()
        self.assertEqual(client.wait(30), 0, client.stderr.read())
        client.stdin.close()
        self.assertLessEqual({"registered", "refreshed", "refreshed with the new token", "unregistered"},
                             set(steps))
        self.assertEqual(self.bindings(impu), [])
        # A new token alone gives the core nothing to do.
        self.assertEqual(self.asked(impu), FIRST + END)


class ScscfUdp(Scscf):
    transport = "udp"
    lab_args = {**Scscf.lab_args,
                "conf": {**Scscf.lab_args["conf"], "core": {"transport": transport}}}


class Due(ScscfCase):
    """The core is due again at half of what it granted."""

    lab_args = {"core": "scscf", "conf": {"registration": {
        "client_max": "16s", "client_min": "10s", "max": "16s", "guard": "1s"}}}

    def test_refresh_in_the_core(self):
        with Ws() as ws:
            given = lease()
            sip, _ = self.register(ws, given)
            self.assertEqual(sip.register().status, 200)
            self.assertEqual(self.asked(given["impu"]), FIRST)

            def is_in_the_core():
                time.sleep(0.6)  # registration.rate
                self.assertEqual(sip.register().status, 200)
                return self.asked(given["impu"]) != FIRST

            wait_for("a refresh in the core", is_in_the_core, 12)
            self.assertEqual(self.asked(given["impu"]), FIRST + AGAIN)
            self.assertGreaterEqual(self.check_bound(sip, given)["expires"], 14)


class Restarted(ScscfCase):
    """kill -9 forgets the Contacts. This S-CSCF says 200 to "Contact: *" and keeps everything."""

    lab_args = {"core": "scscf", "pool": 2,
                "conf": {"core": {"timer_f": "1s"},
                         "lifetimes": {"t_sip": "1s", "release_guard": "1s"}}}

    def free(self):
        return self.lab.ctl("pool", "list")["data"]["pools"][0]["free"]

    def test_no_next_owner_while_bound(self):
        with Ws() as ws:
            given = lease()
            sip, _ = self.register(ws, given)
        self.lab.stop(self.lab.regated, signal.SIGKILL)
        self.lab.start_regated()
        self.lab.ctl("lease", "revoke", given["impu"])
        wait_for("de-registration", lambda: self.asked(given["impu"]) == FIRST + END)
        time.sleep(4)  # t_sip, once more, and the guard
        self.check_bound(sip, given)
        self.assertEqual(self.free(), 1)
        self.assertNotEqual(lease()["impu"], given["impu"])


if __name__ == "__main__":
    main()
