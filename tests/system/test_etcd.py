# SPDX-License-Identifier: BSD-3-Clause
"""Clients of one etcd store while its leader is killed, stopped, cut off: no pair is given twice, what
was acknowledged is there, the watch misses nothing. REGATE_ETCD_CYCLES=100 for more than a few."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts"))
from lab import enter_new_netns  # noqa: E402
from etcd_bed import LOAD, Chaos, Client, Judge, Members, now  # noqa: E402

CYCLES = int(os.environ.get("REGATE_ETCD_CYCLES", "6"))
SEED = int(os.environ.get("REGATE_ETCD_SEED", "1"))
PAIRS = 300  # few, so that clients want the same


class Etcd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        enter_new_netns()
        cls.folder = tempfile.mkdtemp(prefix="regate-etcd-")
        cls.members = Members(cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.members.stop()
        shutil.rmtree(cls.folder)

    def fill(self, prefix):
        subprocess.run([LOAD, ",".join(self.members.cluster.endpoints), prefix, "fill", str(PAIRS),
                        "100"], check=True, stdout=subprocess.DEVNULL)

    def final(self, prefix):
        """What somebody sees who loads it all now."""
        c = Client("reader", self.members.cluster.endpoints, prefix, PAIRS, 0)
        c.tell_end()
        c.wait_end()
        return c.view()

    def test_a_sleeper_catches_up(self):
        """What it missed is compacted, and nobody writes it again."""
        self.fill("/sleeper")
        clients = [Client(f"s{i}", self.members.cluster.endpoints, "/sleeper", PAIRS, 16) for i in range(2)]
        chaos = Chaos(self.members, clients, SEED)
        chaos.acknowledged_after(now())
        chaos.sleep(clients[0].proc)
        for c in clients:
            c.tell_end()
        clients[0].proc.send_signal(signal.SIGCONT)
        self.assertEqual([c.wait_end() for c in clients], [0, 0])
        self.assertEqual(Judge(clients, self.final("/sleeper")).check()[:10], [])

    def test_faults_of_the_leader(self):
        self.fill("/faults")
        clients = [Client(f"c{i}", self.members.cluster.endpoints, "/faults", PAIRS, 16) for i in range(3)]
        chaos = Chaos(self.members, clients, SEED)
        try:
            for i in range(CYCLES):
                chaos.cycle(Chaos.KINDS[i % len(Chaos.KINDS)])
        finally:
            for c in clients:
                c.tell_end()
            codes = [c.wait_end() for c in clients]
        self.assertEqual(codes, [0] * len(clients))
        acknowledged = sum(1 for c in clients for w in c.lines if w[0] == "A")
        unknown = sum(1 for c in clients for w in c.lines if w[0] == "U")
        print(f"{CYCLES} cycles, {acknowledged} acknowledged, {unknown} unknown", file=sys.stderr)
        for kind in Chaos.KINDS:
            ms = sorted(g[1] for g in chaos.gaps if g[0] == kind)
            away = sorted(g[2] for g in chaos.gaps if g[0] == kind)
            if ms:
                print(f"{kind:8} answered again {ms[len(ms) // 2]:.0f} ms (at most {ms[-1]:.0f}) after a "
                      f"leader was there, which took {away[len(away) // 2]:.0f} ms (at most {away[-1]:.0f})",
                      file=sys.stderr)
        self.assertEqual(Judge(clients, self.final("/faults")).check()[:10], [])
        self.assertGreater(acknowledged, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
