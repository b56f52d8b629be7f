# SPDX-License-Identifier: BSD-3-Clause
"""Base of the system tests: a gateway per class, its logs shown when a test fails."""

import contextlib
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../../scripts"), HERE]

from lab import Lab, LabError, wait_for  # noqa: E402


class GatewayCase(unittest.TestCase):
    lab_args = {}

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(**cls.lab_args)
        try:
            cls.lab.up()
        except BaseException:
            for name in ("regated", "imscore", "kamailio", "hss"):
                sys.stderr.write(cls.lab.log(name)[-2000:])
            cls.lab.down()
            raise

    @classmethod
    def tearDownClass(cls):
        code = cls.lab.stop(cls.lab.regated)
        log = cls.lab.log("regated")
        cls.lab.down()
        if code != 0 or "Sanitizer" in log or "runtime error" in log:
            raise AssertionError(f"regated ended with {code}:\n{log[-6000:]}")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            sys.stderr.write(f"--- regated, last lines\n{self.lab.log('regated')[-3000:]}\n")
            if self.lab.regated and self.lab.regated.poll() is None:
                with contextlib.suppress(LabError, subprocess.SubprocessError):
                    drops = {k: sum(n) for k, n in self.lab.counters().items() if "drop_" in k and sum(n)}
                    sys.stderr.write(f"--- what it dropped: {drops}\n")

    def stat(self, name):
        """Sum of one counter over the workers."""
        return sum(self.lab.counters()[name])

    def core_stat(self, name):
        return self.lab.ctl("stats", "--all")["data"]["ims"][name]

    def wait_stat(self, name, least):
        return wait_for(f"{name} >= {least}", lambda: self.stat(name) >= least)


def main():
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    ran = program.result.testsRun - len(program.result.skipped)
    if ran == 0:
        sys.stderr.write("no test ran\n")
    sys.exit(0 if program.result.wasSuccessful() and ran > 0 else 1)
