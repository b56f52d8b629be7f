# SPDX-License-Identifier: BSD-3-Clause
"""regatectl against a running gateway: every command, as table and as JSON, and its exit codes."""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import BUILD, wait_for  # noqa: E402
from wic import Closed, Sip, Ws, http, lease  # noqa: E402


class Operator(GatewayCase):
    def cli(self, *args, stdin=None, sock=None):
        return subprocess.run([BUILD + "/controlplane/cli/regatectl", "--socket",
                               sock or self.lab.path("ctl.sock"), *args], input=stdin,
                              capture_output=True, text=True, timeout=10)

    def test_every_read_command_in_both_forms(self):
        for args in (["status"], ["stats"], ["stats", "--all"], ["pool", "list"], ["lease", "list"],
                     ["conn", "list"], ["log", "level"]):
            with self.subTest(args):
                text = self.cli(*args)
                self.assertEqual(text.returncode, 0, text.stderr)
                self.assertTrue(text.stdout.strip())
                answer = json.loads(self.cli("--json", *args).stdout)
                self.assertTrue(answer["ok"])
                self.assertRegex(answer["schema"], r"^regate\.[a-z]+/1$")

    def test_lease_show_and_revoke(self):
        given = lease()
        with Ws() as ws:
            sip = Sip(ws, given)
            self.assertEqual(sip.register().status, 200)
            shown = self.lab.ctl("lease", "show", given["impu"])["data"]
            self.assertEqual((shown["impu"], shown["state"]), (given["impu"], "active"))
            self.assertNotIn(given["token"], json.dumps(shown))
            conns = self.lab.ctl("conn", "list")["data"]["connections"]
            self.assertIn(shown["idx"], [c.get("lease") for c in conns])
            self.assertEqual(self.cli("lease", "revoke", given["impu"]).returncode, 0)
            with self.assertRaises(Closed) as e:
                ws.recv()
            self.assertEqual(e.exception.code, 1008)
        # De-registered in the core, token void, pair not handed out again at once.
        wait_for("de-registration", lambda: any(
            given["impu"] in str(r) and "expires=0" in str(r) for r in self.lab.core_requests()))
        with Ws() as ws:
            self.assertEqual(Sip(ws, given).register().status, 401)
        self.assertEqual(http("POST", "/v1/lease/refresh", {},
                              headers={"Authorization": f"Bearer {given['token']}"}).status, 401)
        again = self.cli("lease", "revoke", given["impu"])
        self.assertEqual(again.returncode, 1, again.stdout)
        self.assertNotEqual(lease()["impu"], given["impu"])

    def test_lease_release(self):
        given = lease()  # never registered: back after the guard time
        shown = json.loads(self.cli("--json", "lease", "release", given["impu"]).stdout)["data"]
        self.assertEqual((shown["state"], shown["held_by"][:14]), ("quarantine", "its end is cer"))
        with Ws() as ws:
            self.assertEqual(Sip(ws, given).register().status, 401)
        given = lease()  # registered: once the core has confirmed the end
        with Ws() as ws:
            self.assertEqual(Sip(ws, given).register().status, 200)
            shown = json.loads(self.cli("--json", "lease", "release", given["impu"]).stdout)["data"]
            self.assertEqual((shown["state"], shown["held_by"][:14]), ("quarantine", "its end is cer"))
        self.lab.stop(self.lab.core)  # nobody there to confirm
        given = lease()
        try:
            with Ws() as ws:
                self.assertEqual(Sip(ws, given).register().status, 504)
        finally:
            self.lab.start_core()
        again = self.cli("lease", "release", given["impu"])
        self.assertEqual(again.returncode, 1, again.stdout)
        self.assertRegex(again.stderr, r"lease release: lease \d+ is held until 20.*: a registration of "
                                       "it may still be in the core")

    def test_pool_counts_add_up(self):
        def pool():
            return self.lab.ctl("pool", "list")["data"]["pools"][0]

        before = pool()
        lease()
        after = pool()
        self.assertEqual(after["free"], before["free"] - 1)
        self.assertEqual(after["pairs"], after["free"] + after["offered"] + after["registered"] +
                         after["quarantine"])

    def test_log_level(self):
        self.assertEqual(self.cli("log", "level", "debug").returncode, 0)
        self.assertEqual(self.lab.ctl("log", "level")["data"]["level"], "debug")
        self.assertEqual(self.cli("log", "level", "info").returncode, 0)
        self.assertNotEqual(self.cli("log", "level", "loud").returncode, 0)

    def test_exit_codes(self):
        self.assertEqual(self.cli("nonsense").returncode, 2)
        self.assertEqual(self.cli("lease", "list", "--nonsense").returncode, 2)
        self.assertEqual(self.cli("lease", "show", "sip:nobody@ims.example.net").returncode, 5)
        away = self.cli("status", sock=self.lab.path("nowhere.sock"))
        self.assertEqual(away.returncode, 3)
        self.assertIn("nowhere.sock", away.stderr)

    def test_batch(self):
        done = self.cli(stdin="status\npool list\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("demo", done.stdout)

    def test_no_secret_in_the_log(self):
        given = lease(account="alice", password="correct horse")
        with Ws() as ws:
            self.assertEqual(Sip(ws, given).register().status, 200)
        time.sleep(0.2)
        log = self.lab.log("regated")
        self.assertNotIn(given["token"].split(".")[2], log)
        self.assertNotIn("correct horse", log)


if __name__ == "__main__":
    main()
