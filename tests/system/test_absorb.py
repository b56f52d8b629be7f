# SPDX-License-Identifier: BSD-3-Clause
"""A refresh within the fresh time is answered in the dataplane: counters on both sides."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import wait_for  # noqa: E402
from wic import Closed, Sip, Ws, delete_lease, lease  # noqa: E402


class Absorb(GatewayCase):
    def counters(self):
        return (self.stat("reg_local_ok"), self.stat("reg_punted"), self.core_stat("core_requests"),
                len(self.lab.core_requests()))

    def test_second_register_never_reaches_the_core(self):
        before = self.counters()
        with Ws() as ws:
            sip = Sip(ws, lease())
            first = sip.register()
            self.assertEqual(first.status, 200)
            for _ in range(3):
                again = sip.register()
                self.assertEqual(again.status, 200)
                for name in ("Service-Route", "P-Associated-URI", "Path"):
                    self.assertEqual(again.all(name), first.all(name), name)
                self.assertEqual(again.one("To"), first.one("To"))
                self.assertLessEqual(sip.granted(again), 300)
                self.assertGreaterEqual(sip.granted(again), 60)
        local, punted, to_core, at_core = (b - a for a, b in zip(before, self.counters()))
        self.assertEqual((local, punted, to_core, at_core), (3, 1, 1, 1))

    def test_reconnect_of_the_same_instance_is_absorbed_and_the_old_flow_closed(self):
        given = lease()
        first = Ws()
        sip = Sip(first, given)
        self.assertEqual(sip.register().status, 200)
        before = len(self.lab.core_requests())
        with Ws() as second:
            sip.ws = second
            self.assertEqual(sip.register().status, 200)
            self.assertEqual(len(self.lab.core_requests()), before)
            with self.assertRaises(Closed) as e:
                first.recv()
            self.assertEqual(e.exception.code, 1008)
            self.assertEqual(sip.register().status, 200)
        first.sock.close()

    def test_t18_token_in_two_tabs(self):
        """T18: who registers last has the lease, alone; the core holds one Contact."""
        given = lease()
        with Ws() as a, Ws() as b:
            one, two = Sip(a, given), Sip(b, given)
            self.assertEqual(one.register().status, 200)
            self.assertEqual(two.register().status, 200)
            last = self.lab.core_requests()[-1]
            self.assertIn(two.host, str(last))
            self.assertRegex(str(last), rf"{one.host}[^,]*;expires=0")
            with self.assertRaises(Closed) as e:
                a.recv()
            self.assertEqual(e.exception.code, 1008)
            self.assertEqual(two.register().status, 200)

    def test_deregister_reaches_the_core_once(self):
        given = lease()
        with Ws() as ws:
            sip = Sip(ws, given)
            self.assertEqual(sip.register().status, 200)
            before = len(self.lab.core_requests())
            # SIP.js sends no token here (ims.md 0.8).
            sip.token = None
            self.assertEqual(sip.register(expires=0).status, 200)
            seen = self.lab.core_requests()[before:]
            self.assertEqual(len(seen), 1)
            self.assertIn("expires=0", str(seen[0]))
            sip.token = given["token"]
            self.assertEqual(sip.register().status, 200)
        self.assertEqual(delete_lease(given["token"]).status, 202)


class FlowLoss(GatewayCase):
    """The client leaves without a word: the core is told after the grace time."""

    lab_args = {"conf": {"registration": {"flow_grace": "2s"}, "lifetimes": {"release_guard": "1s"}}}

    def leave(self, given):
        with Ws() as ws:
            self.assertEqual(Sip(ws, given).register().status, 200)
        wait_for("de-registration in the core", lambda: any(
            given["impu"] in r["to"] and r["expires"] == "0" for r in self.lab.core_requests()))

    def test_pool_pair_goes_back(self):
        given = lease()
        self.leave(given)
        with Ws() as ws:
            self.assertEqual(Sip(ws, given).register().status, 401)
        wait_for("the pair to be free", lambda: self.lab.ctl("pool", "list")["data"]["pools"][0]["free"] == 120)

    def test_account_keeps_its_token(self):
        given = lease(account="alice", password="correct horse")
        self.leave(given)
        with Ws() as ws:
            self.assertEqual(Sip(ws, given).register().status, 200)

    def test_return_within_the_grace_time_is_no_loss(self):
        given = lease(account="alice", password="correct horse")
        first = Ws()
        sip = Sip(first, given)
        self.assertEqual(sip.register().status, 200)
        first.sock.close()
        before = len(self.lab.core_requests())
        with Ws() as second:
            sip.ws = second
            self.assertEqual(sip.register().status, 200)
            time.sleep(2.5)
            self.assertEqual(sip.register().status, 200)
        self.assertEqual(len(self.lab.core_requests()), before)


class CoreDue(GatewayCase):
    """Half of the core's binding is over: the client is answered at once, the core asked behind it."""

    lab_args = {"core_args": ["--min-expires", "20", "--max-expires", "40"],
                "conf": {"registration": {"client_max": "10s", "client_min": "10s", "guard": "1s"}}}

    def test_the_core_is_refreshed_behind_a_local_answer(self):
        with Ws() as ws:
            sip = Sip(ws, lease())
            first = sip.register()
            self.assertEqual(first.status, 200)
            punted, before = self.stat("reg_punted"), len(self.lab.core_requests())

            def refreshed():
                time.sleep(3)
                self.assertEqual(sip.register().status, 200)
                time.sleep(0.2)
                return len(self.lab.core_requests()) > before
            wait_for("refresh in the core", refreshed, 40)
            self.assertEqual(sip.register().status, 200)
            self.assertEqual(self.stat("reg_punted"), punted)
            seen = self.lab.core_requests()[before:]
            self.assertEqual(len(seen), 1)
            self.assertIn(sip.host, str(seen[0]))
            self.assertEqual(self.core_stat("register_refresh"), 1)


if __name__ == "__main__":
    main()
