# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 at any moment: every acknowledged lease is still there, and no pair was given twice."""

import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import wait_for  # noqa: E402
from takers import Takers  # noqa: E402
from wic import Sip, Ws, lease  # noqa: E402

KILLS = int(os.environ.get("REGATE_KILLS", "5"))


class Restart(GatewayCase):
    lab_args = {"pool": 4000 + 300 * KILLS}  # more than the clients of test_kills_under_load can take

    def kill_and_restart(self):
        self.lab.stop(self.lab.regated, signal.SIGKILL)
        self.lab.start_regated()

    def test_registered_lease_survives(self):
        given = lease()
        with Ws() as ws:
            sip = Sip(ws, given)
            self.assertEqual(sip.register().status, 200)
        before = self.lab.ctl("lease", "show", given["impu"])["data"]
        self.kill_and_restart()
        after = self.lab.ctl("lease", "show", given["impu"])["data"]
        for key in ("idx", "gen", "impi", "impu"):
            self.assertEqual(before[key], after[key], key)
        n = len(self.lab.core_requests())
        with Ws() as sip.ws:
            self.assertEqual(sip.register().status, 200)
        self.assertEqual(len(self.lab.core_requests()), n + 1)  # never absorbed right after a crash

    def test_kills_under_load(self):
        seed = random.randrange(1 << 30)
        rng = random.Random(seed)
        waits = []
        takers = Takers(4, seed)
        try:
            for _ in range(KILLS):
                # Clients may spend a while in their kernel's back-off: one at stake each time, or more.
                n = takers.n_acknowledged
                wait_for("a lease", lambda n=n: takers.n_acknowledged > n or takers.errors, 60)
                takers.stopping.wait(rng.uniform(0, 0.8))
                began = time.monotonic()
                self.kill_and_restart()
                waits.append(time.monotonic() - began)
                if takers.errors:
                    break
        finally:
            takers.stop()
        print(f"seed {seed}: {takers.n_acknowledged} leases acknowledged over {len(waits)} kills, "
              f"{takers.n_checked} times looked at; from kill to serving at most {max(waits):.2f} s")
        takers.check(self)
        self.assertGreaterEqual(takers.n_acknowledged, KILLS)
        pool = self.lab.ctl("pool", "show", "demo")["data"]
        self.assertEqual(pool["pairs"], sum(pool[k] for k in ("free", "offered", "registered", "quarantine",
                                                              "disabled")))


if __name__ == "__main__":
    main()
