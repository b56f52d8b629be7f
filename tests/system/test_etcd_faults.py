# SPDX-License-Identifier: BSD-3-Clause
"""Gateways of one etcd while its leader is killed, stopped and cut off in turn: whoever is registered
refreshes, leases are given out again, and no pair is anybody's twice. REGATE_ETCD_ROUNDS=100 for more
than a few rounds, REGATE_ETCD_GATEWAYS=3 for another gateway."""

import os
import statistics
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts"))
from etcd_bed import Chaos, now  # noqa: E402
from fleet import Fleet, Leaser, Refresher, given_twice  # noqa: E402
from lab import wait_for  # noqa: E402

ROUNDS = int(os.environ.get("REGATE_ETCD_ROUNDS", "6"))
GATEWAYS = int(os.environ.get("REGATE_ETCD_GATEWAYS", "2"))
SEED = int(os.environ.get("REGATE_ETCD_SEED", "1"))
KINDS = ("kill", "stop", "cut", "cut_all", "cut_in", "cut_out")
OFFERED = "1"  # LEASE_OFFERED
CLIENTS = 10  # of each gateway, who refresh
# No refresh of the test may be due at the core: that is another matter.
CONF = {"registration": {"rate": 20, "rate_burst": 20}, "lifetimes": {"release_guard": "1s"}}


class GatewayChaos(Chaos):
    """Its clients are those who lease from the gateways."""

    def acknowledged_after(self, t):
        def all_answered():
            found = [c.granted_after(t) for c in self.clients]
            return found if all(found) else None
        return max(wait_for("a lease from each gateway", all_answered, 60))


class Faults(unittest.TestCase):
    def setUp(self):
        self.fleet = Fleet(GATEWAYS, pool=max(1000, 200 * ROUNDS), conf=CONF)
        self.fleet.up()

    def tearDown(self):
        codes = [self.fleet.stop(g.proc) for g in self.fleet.gateways]
        logs = [g.log() for g in self.fleet.gateways]
        self.fleet.down()
        for code, log in zip(codes, logs):
            if code != 0 or "Sanitizer" in log or "runtime error" in log or "lease.given_twice" in log:
                raise AssertionError(f"a gateway ended with {code}:\n{log[-6000:]}")

    def test_leader(self):
        leasers = [Leaser(g, pause=0.1) for g in self.fleet.gateways]
        refreshers = [Refresher(g, CLIENTS) for g in self.fleet.gateways]
        to_core = len(self.fleet.core_requests())
        for x in leasers + refreshers:
            x.start()
        chaos = GatewayChaos(self.fleet.members, leasers, SEED)
        chaos.acknowledged_after(now())
        try:
            for i in range(ROUNDS):
                chaos.cycle(KINDS[i % len(KINDS)])
        finally:
            for x in leasers + refreshers:
                x.end()
            self.report(leasers, refreshers, chaos)
        self.assertEqual([f for x in refreshers for f in x.faults][:10], [])
        self.assertTrue(all(x.n_good > CLIENTS for x in refreshers))
        self.assertEqual([r for x in leasers for r in x.refusals if r[1] != 503][:10], [])
        self.assertEqual([f for x in leasers for f in x.faults][:10], [])
        grants = [g for x in leasers for g in x.grants]
        self.assertEqual(given_twice(grants, self.fleet.etcd_records())[:10], [])
        self.assertEqual(len(self.fleet.core_requests()), to_core)
        for g in self.fleet.gateways:
            wait_for(f"what {g.name} was not told", lambda g=g: self.knows_all(g), 30)

    def knows_all(self, gateway):
        """Is what it knows what etcd has?"""
        records = self.fleet.etcd_records()
        known, after = {}, None
        while True:
            page = gateway.ctl("lease", "list", *([] if after is None else ["--after", str(after)]))
            known.update({x["impu"]: x["gen"] for x in page["leases"]})
            after = page["next_after"]
            if after is None:
                break
        live = {impu for impu, r in records.items() if r["state"] == OFFERED}
        return live <= known.keys() and \
            all(impu in records and int(records[impu]["gen"]) == gen for impu, gen in known.items())

    def report(self, leasers, refreshers, chaos):
        print(f"{len(chaos.gaps)} rounds, {GATEWAYS} gateways: {sum(x.n_good for x in refreshers)} refreshes, "
              f"{sum(len(x.faults) for x in refreshers)} failed; {sum(len(x.grants) for x in leasers)} leases, "
              f"{sum(len(x.refusals) for x in leasers)} times 503, "
              f"{sum(len(x.faults) for x in leasers)} without an answer", file=sys.stderr)
        for kind in (*KINDS, None):
            ms = sorted(g[1] for g in chaos.gaps if kind in (g[0], None))
            if ms:
                print(f"{kind or 'all':8} leases again {statistics.median(ms):.0f} ms ({ms[0]:.0f} to {ms[-1]:.0f}) "
                      "after a leader was there", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
