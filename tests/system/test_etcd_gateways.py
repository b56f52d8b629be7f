# SPDX-License-Identifier: BSD-3-Clause
"""Two, and three, gateways that share pools over one etcd: each serves what another one gave out, and no
pair is anybody's twice."""

import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts"))
from etcd_bed import now  # noqa: E402
from fleet import Fleet, Leaser, gen_of, given_twice  # noqa: E402
from lab import wait_for  # noqa: E402
from wic import Closed, Sip  # noqa: E402

MOVED = 1  # STORE_MOVED
QUARANTINE = "6"  # LEASE_QUARANTINE


class Sharing:
    n = 2

    @classmethod
    def setUpClass(cls):
        cls.fleet = Fleet(cls.n)
        try:
            cls.fleet.up()
        except BaseException:
            for g in cls.fleet.gateways:
                sys.stderr.write(g.log()[-1500:])
            cls.fleet.down()
            raise

    @classmethod
    def tearDownClass(cls):
        codes = [cls.fleet.stop(g.proc) for g in cls.fleet.gateways]
        logs = [g.log() for g in cls.fleet.gateways]
        cls.fleet.down()
        for code, log in zip(codes, logs):
            if code != 0 or "Sanitizer" in log or "runtime error" in log or "lease.given_twice" in log:
                raise AssertionError(f"a gateway ended with {code}:\n{log[-6000:]}")

    def setUp(self):
        self.a, self.b = self.fleet.gateways[0], self.fleet.gateways[-1]

    def record(self, given):
        return self.fleet.etcd_records()[given["impu"]]

    def closed(self, sip):
        """Close code of a client's connection, which says nothing else meanwhile."""
        with self.assertRaises(Closed) as e:
            sip.ws.recv()
        return e.exception.code

    def knows(self, gateway, given, owner):
        return gateway.shown(given)["gateway"] == owner.name

    def refused(self, gateway, given):
        """The token is good for nothing there: it is over, or as new as one that is not known yet (503)."""
        with gateway.ws() as ws:
            return Sip(ws, given).register().status in (401, 503)

    def told(self, gateway, given):
        """It knows that lease."""
        wait_for("the news", lambda: gateway.shown(given)["gen"] == gen_of(given))

    def absorbed(self, sip, gateway):
        """Is its next refresh answered by the worker?"""
        before, to_core = gateway.counter("reg_local_ok"), len(self.fleet.core_requests())
        self.assertEqual(sip.register().status, 200)
        return gateway.counter("reg_local_ok") - before == 1 and \
            len(self.fleet.core_requests()) == to_core

    def test_no_pair_is_given_twice(self):
        leasers = [Leaser(g, pause=0, keep=20) for g in self.fleet.gateways for _ in range(2)]
        for x in leasers:
            x.start()
        time.sleep(4)
        for x in leasers:
            x.end()
        grants = [g for x in leasers for g in x.grants]
        self.assertEqual([f for x in leasers for f in x.faults + x.refusals], [])
        self.assertTrue(all(x.grants for x in leasers))
        self.assertEqual(given_twice(grants, self.fleet.etcd_records())[:10], [])
        print(f"{len(grants)} grants", file=sys.stderr)

    def test_token_of_another_gateway(self):
        given = self.a.lease()
        self.told(self.b, given)
        sip = self.b.registered(given)
        record = self.record(given)
        self.assertEqual((record["gateway"], int(record["flags"]) & MOVED), (self.b.name, MOVED))
        self.assertTrue(self.absorbed(sip, self.b))
        sip.ws.sock.close()

    def test_a_client_moves(self):
        given = self.a.lease()
        first = self.a.registered(given)
        self.assertEqual(self.record(given)["gateway"], self.a.name)
        self.told(self.b, given)
        second = self.b.registered(given)
        self.assertEqual(self.closed(first), 1008)
        record = self.record(given)
        self.assertEqual((record["gateway"], int(record["flags"]) & MOVED), (self.b.name, MOVED))
        self.assertTrue(self.absorbed(second, self.b))
        # And back.
        third = self.a.registered(given)
        self.assertEqual(self.closed(second), 1008)
        self.assertEqual(self.record(given)["gateway"], self.a.name)
        self.assertTrue(self.absorbed(third, self.a))
        third.ws.sock.close()

    def test_revoked_elsewhere(self):
        for revoker, server in ((self.a, self.b), (self.b, self.a)):
            given = self.a.lease()
            self.told(server, given)
            sip = server.registered(given)
            wait_for("the news", lambda: self.knows(revoker, given, server))
            before = now()
            self.assertEqual(revoker.revoke(given), 202)
            self.assertEqual(self.closed(sip), 1008)
            print(f"closed {(now() - before) / 1e6:.0f} ms after the request", file=sys.stderr)
            for g in self.fleet.gateways:
                wait_for("its end everywhere", lambda g=g: self.refused(g, given))
            self.assertEqual(self.record(given)["state"], QUARANTINE)
            wait_for("the end of its binding", lambda: any(
                given["impu"] in str(r) and "expires=0" in str(r) for r in self.fleet.core_requests()))

    def test_token_that_is_renewed_elsewhere(self):
        given = self.a.lease()
        sip = self.a.registered(given)
        answer = wait_for("the news", lambda: [x for x in [self.b.ask(
            "POST", "/v1/lease/refresh", headers={"Authorization": f"Bearer {given['token']}"})] if x.status != 401])[0]
        self.assertIn(answer.status, (200, 201), answer.body)
        renewed = answer.json()
        self.assertEqual(gen_of(renewed), gen_of(given))
        sip.token = renewed["token"]
        wait_for("the new token here", lambda: sip.register().status == 200)
        sip.ws.sock.close()

    def test_a_gateway_sleeps(self):
        """What happened meanwhile it is told when it wakes."""
        moved, revoked = (self.a.lease() for _ in range(2))
        sips = [self.a.registered(g) for g in (moved, revoked)]
        wait_for("the news", lambda: all(self.knows(self.b, g, self.a) for g in (moved, revoked)))
        os.kill(self.a.proc.pid, signal.SIGSTOP)
        try:
            other = self.b.registered(moved)
            self.assertEqual(self.b.revoke(revoked), 202)
        finally:
            os.kill(self.a.proc.pid, signal.SIGCONT)
        self.assertEqual([self.closed(s) for s in sips], [1008, 1008])
        self.assertTrue(self.refused(self.a, revoked))
        self.assertTrue(self.absorbed(other, self.b))
        other.ws.sock.close()

    def test_a_gateway_dies(self):
        given = self.a.lease()
        self.a.registered(given)
        unused = self.a.lease()
        for g in (given, unused):
            self.told(self.b, g)
        self.a.kill()
        sips = [self.b.registered(g) for g in (given, unused)]
        self.assertTrue(self.absorbed(sips[0], self.b))
        other = self.b.lease()
        self.a.start()
        for g in (given, unused, other):
            self.assertEqual([self.a.shown(g)[k] for k in ("gen", "gateway", "state")],
                             [self.b.shown(g)["gen"], self.b.name, "offered"])
        back = self.a.registered(given)
        self.assertEqual(self.closed(sips[0]), 1008)
        self.assertTrue(self.absorbed(back, self.a))
        self.assertTrue(self.absorbed(sips[1], self.b))
        self.assertNotEqual(self.a.lease()["impu"], other["impu"])


class Two(Sharing, unittest.TestCase):
    pass


class Three(Sharing, unittest.TestCase):
    n = 3


if __name__ == "__main__":
    unittest.main(verbosity=2)
