# SPDX-License-Identifier: BSD-3-Clause
"""Enough hugepages are free, as it seems, and are not there: as when two gateways start at once."""

import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import main  # noqa: E402
from lab import BUILD, Lab, enter_new_netns, hugepages, wait_for  # noqa: E402
from wic import http  # noqa: E402

REGATED = BUILD + "/controlplane/regated"
FREE = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
TAKEN = "level=warn msg=dataplane.hugepages_taken"


def status(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return next(x.split()[1] for x in f if x.startswith(key + ":"))


def has_handler(pid):
    return int(status(pid, "SigCgt"), 16) >> (signal.SIGTERM - 1) & 1


class Taken(unittest.TestCase):
    def setUp(self):
        enter_new_netns()
        self.lab = Lab(pool=4)
        self.lab.make_keys()
        self.lab.make_identities()
        memory = 2 * hugepages("nr") + 64  # MiB: more than others can give back
        if memory > 1024:
            self.skipTest(f"{memory} MiB would be used")
        self.lab.conf_over = {"dataplane": {"hugepages": "auto", "memory": f"{memory}MiB"}}
        self.lab.start_core()

    def tearDown(self):
        self.lab.down()

    def start(self):
        lie = self.lab.write("lie", "100000\n")
        self.lab.write("regated.log", "")
        self.lab.regated = self.lab.start("regated", [
            "unshare", "-m", "sh", "-c",
            f"mount --bind {lie} {FREE} && exec {REGATED} --config {self.lab.make_conf()}"])
        return self.lab.regated

    def test_small_pages_do(self):
        proc = self.start()
        wait_for("start", self.lab.regated_ready, 20)
        self.lab.link_up()
        lines = [x for x in self.lab.log("regated").splitlines() if " level=info " not in x]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(TAKEN, lines[0])
        self.assertEqual(http("GET", "/").status, 200)
        self.assertEqual(self.lab.stop(proc), 0, self.lab.log("regated"))

    def stopped_before_it_knows(self):
        """A gateway that handles signals, and has not yet found out that the pages are gone."""
        for _ in range(10):
            proc = self.start()
            wait_for("its handlers", lambda: has_handler(proc.pid))
            os.kill(proc.pid, signal.SIGSTOP)
            wait_for("its stop", lambda: status(proc.pid, "State") == "T")
            if has_handler(proc.pid) and TAKEN not in self.lab.log("regated"):
                return proc
            os.kill(proc.pid, signal.SIGCONT)
            self.lab.stop(proc)
        self.fail("always too late")

    def test_told_to_end_before(self):
        """What begins anew with small pages does not forget that it was told to end."""
        for sig in (signal.SIGTERM, signal.SIGINT):
            proc = self.stopped_before_it_knows()
            os.kill(proc.pid, sig)
            os.kill(proc.pid, signal.SIGCONT)
            self.assertEqual(proc.wait(timeout=20), 0, self.lab.log("regated"))
            self.assertNotIn("gateway.ready", self.lab.log("regated"))


if __name__ == "__main__":
    main()
