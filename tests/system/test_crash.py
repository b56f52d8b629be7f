# SPDX-License-Identifier: BSD-3-Clause
"""Every crash point of the whole gateway, each visited once under load."""

import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import BUILD, DOMAIN, LabError, wait_for  # noqa: E402
from takers import Takers  # noqa: E402

REGATED = BUILD + "/controlplane/regated-test"


class Crash(GatewayCase):
    lab_args = {"pool": 8000, "conf": {"test": {"echo": "false"}}}

    def points(self):
        out = subprocess.run([REGATED, "--list-crash-points"], capture_output=True, text=True, check=True)
        return out.stdout.split()

    def restart(self, point=None):
        self.lab.stop(self.lab.regated, signal.SIGKILL)
        if point is not None:
            os.environ["REGATE_CRASH_POINT"] = point
        try:
            self.lab.start_regated()
        except LabError:  # it came there at once
            if point is None or self.lab.regated.poll() != -signal.SIGKILL:
                raise
        finally:
            os.environ.pop("REGATE_CRASH_POINT", None)

    def import_pair(self, n):
        """True when it was acknowledged."""
        path = self.lab.write("one.csv", f"more-{n}@{DOMAIN},sip:more-{n}@{DOMAIN}\n")
        out = subprocess.run([BUILD + "/controlplane/cli/regatectl", "--socket",
                              self.lab.path("ctl.sock"), "pool", "import", "demo", path],
                             capture_output=True, text=True, timeout=20)
        self.assertIn(out.returncode, (0, 1, 3), out.stderr)
        return out.returncode == 0

    def test_each_point(self):
        points = self.points()
        self.assertGreater(len(points), 10)
        imported = []
        n = 0
        takers = Takers(4, 1)
        try:
            for i, point in enumerate(points):
                with self.subTest(point):
                    self.restart(f"{point}:{1 + i % 3}")

                    def is_dead():
                        nonlocal n
                        if self.lab.regated.poll() is not None or takers.errors:
                            return True
                        n += 1
                        if self.import_pair(n):
                            imported.append(n)
                        return False

                    wait_for(f"the end at {point}", is_dead, timeout=30)
                    self.assertEqual(takers.errors, [])
                    self.assertEqual(self.lab.regated.returncode, -signal.SIGKILL)
            self.restart()
        finally:
            takers.stop()
        takers.check(self)
        for k in imported:
            self.lab.ctl("lease", "show", f"more-{k}@{DOMAIN}")
        print(f"{len(points)} crash points, {takers.n_acknowledged} leases acknowledged, "
              f"{takers.n_checked} times looked at, {len(imported)} pairs imported: none lost")

    def test_unknown_point(self):
        out = subprocess.run([REGATED, "--config", "/nonexistent"], capture_output=True, text=True,
                             env={**os.environ, "REGATE_CRASH_POINT": "lease.nowhere"})
        self.assertEqual(out.returncode, 2)
        self.assertIn("no crash point 'lease.nowhere': --list-crash-points", out.stderr)

    def test_release_has_none(self):
        out = subprocess.run([BUILD + "/controlplane/regated", "--list-crash-points"],
                             capture_output=True, text=True)
        self.assertEqual((out.returncode, out.stdout), (0, ""))


if __name__ == "__main__":
    main()
