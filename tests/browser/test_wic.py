# SPDX-License-Identifier: BSD-3-Clause
"""Headless Chromium on the WIC page, with Kamailio behind the gateway."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system/lib"))
from case import GatewayCase, main  # noqa: E402


class Wic(GatewayCase):
    lab_args = {"core": "kamailio"}

    def test_page(self):
        local = self.stat("reg_local_ok")
        client = self.lab.node("chromium_wic.js", ACCOUNT="alice", PASSWORD="correct horse")
        out, err = client.communicate(timeout=240)
        self.assertEqual(client.returncode, 0, out + err)
        steps = " ".join(json.loads(line)["step"] for line in out.splitlines())
        for step in ("anonymous registered", "anonymous refreshed", "anonymous unregistered"):
            self.assertIn(step, steps)
        self.assertGreater(self.stat("reg_local_ok"), local, "no refresh was absorbed")
        self.assertEqual(self.lab.kamailio_contacts().count("transport=ws"), 0)


if __name__ == "__main__":
    main()
