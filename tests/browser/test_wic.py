# SPDX-License-Identifier: BSD-3-Clause
"""Headless Chromium on the WIC page, with Kamailio behind the gateway."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system/lib"))
from case import GatewayCase, main  # noqa: E402
from lab import DOMAIN  # noqa: E402


class Wic(GatewayCase):
    lab_args = {"core": "kamailio"}

    def check_table(self, impu):
        """The page is registered now: one binding with the Path of its lease."""
        table = self.lab.kamailio_contacts()
        self.assertEqual(table.count("Address: "), 1, table)
        self.assertIn(f"AoR: {impu[4:]}", table)
        self.assertRegex(table, rf"Path: <sip:l\d+\.g\d+\.\w+@epcscf1\.{DOMAIN}:5060;")

    def test_page(self):
        local = self.stat("reg_local_ok")
        client = self.lab.node("chromium_wic.js", ACCOUNT="alice", PASSWORD="correct horse", HOLD="1")
        steps = []
        for line in client.stdout:
            step = json.loads(line)
            steps.append(step["step"])
            if step["step"] in ("anonymous registered", "account registered"):
                self.check_table(step["impu"])
                client.stdin.write("\n")
                client.stdin.flush()
        self.assertEqual(client.wait(30), 0, client.stderr.read())
        client.stdin.close()
        steps = " ".join(steps)
        for step in ("anonymous registered", "anonymous refreshed", "anonymous unregistered"):
            self.assertIn(step, steps)
        self.assertGreater(self.stat("reg_local_ok"), local, "no refresh was absorbed")
        self.assertEqual(self.lab.kamailio_contacts().count("transport=ws"), 0)


if __name__ == "__main__":
    main()
