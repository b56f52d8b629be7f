# SPDX-License-Identifier: BSD-3-Clause
"""The whole gateway on a file of a million leases: from start to serving, and kill -9 under load. Run by
hand: it takes some minutes and 3 GB. REGATE_PAIRS, REGATE_KILLS: fewer, or more."""

import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import BUILD, DOMAIN, wait_for  # noqa: E402
from takers import Takers  # noqa: E402
from wic import http  # noqa: E402

PAIRS = int(os.environ.get("REGATE_PAIRS", "1000000"))
KILLS = int(os.environ.get("REGATE_KILLS", "5"))
STARTS = 3


def fill(lab):
    subprocess.run([BUILD + "/bench/lease/regate-bench-lease", "fill", str(PAIRS), "1", lab.dir], check=True)


# New leases come from the first.
POOLS = ("\n  - {name: spare, wwsf: demo, file: spare.txt, anonymous: allow}"
         "\n  - {name: demo, wwsf: demo, file: pool.txt, anonymous: allow}")


class Million(GatewayCase):
    lab_args = {"prepare": fill, "start_s": 120, "conf": {"pools": POOLS,
                                                           "leases": {"max": PAIRS + PAIRS // 50 + 10}}}

    def restart(self):
        """Seconds from exec to the first answer."""
        self.lab.stop(self.lab.regated, signal.SIGKILL)
        began = time.monotonic()
        self.lab.start_regated(wait=False)
        wait_for("start of regated", self.lab.regated_ready, timeout=120)
        self.lab.ctl("status")
        took = time.monotonic() - began
        self.lab.link_up()
        return took

    def check_sample(self, rng):
        """A lease of before any start; its token is what the generator made of it."""
        impu = f"sip:pool-{rng.randrange(PAIRS):08d}@{DOMAIN}"
        answer = http("POST", "/v1/lease/refresh", {}, headers={"Authorization": f"Bearer {impu}.1"})
        self.assertEqual((answer.status, answer.json().get("impu")), (200, impu))

    def test_million(self):
        seed = random.randrange(1 << 30)
        rng = random.Random(seed)
        idle = [self.restart() for _ in range(STARTS)]
        self.assertEqual(self.lab.ctl("pool", "show", "demo")["data"]["offered"], PAIRS)
        loaded = []
        takers = Takers(4, seed)
        try:
            for _ in range(KILLS):
                takers.stopping.wait(rng.uniform(0.5, 2))
                loaded.append(self.restart())
        finally:
            takers.stop()
        takers.check(self)
        for given in takers.idle.values():  # none of those that had an owner
            self.assertGreaterEqual(int(given["impu"][9:17]), PAIRS, given["impu"])
        for _ in range(300):
            self.check_sample(rng)
        with open(f"/proc/{self.lab.regated.pid}/status") as f:
            rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) >> 10
        print(f"seed {seed}: {PAIRS} leases; from exec to serving "
              f"{', '.join(f'{s:.2f}' for s in idle)} s; after kill -9 under load "
              f"{', '.join(f'{s:.2f}' for s in loaded)} s; {takers.n_acknowledged} more leases "
              f"acknowledged, {takers.n_checked} times looked at, none lost; {rss} MiB")


if __name__ == "__main__":
    main()
