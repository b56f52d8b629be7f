# SPDX-License-Identifier: BSD-3-Clause
"""Where the workers' time goes: every stage of a packet is seen, rates are those of the clients, and
`regatectl top` lives on a terminal only."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import BUILD, wait_for  # noqa: E402
from wic import Sip, Ws, lease  # noqa: E402

STAGES = ["rx", "tcp", "tls", "handshake", "http", "ws", "sip", "lease", "tx", "poll"]


class Top(GatewayCase):
    lab_args = {"conf": {"registration": {"rate": 1000, "rate_burst": 1000}}}

    def args(self, *args):
        return [BUILD + "/controlplane/cli/regatectl", "--socket", self.lab.path("ctl.sock"), *args]

    def cli(self, *args):
        done = subprocess.run(self.args(*args), capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def refresh(self, n):
        given = lease()
        with Ws() as ws:
            sip = Sip(ws, given)
            for _ in range(n):
                self.assertEqual(sip.register().status, 200)

    def clients(self):
        """Every stage has something to do: a handshake, a request, a few REGISTERs of nobody."""
        with Ws() as ws:
            for _ in range(5):
                self.assertEqual(Sip(ws, {"impu": "sip:x@ims.example.net"}, None).register().status, 401)

    def test_all_stages_are_seen(self):
        def is_all_seen():
            self.clients()
            rows = self.lab.ctl("stages")["data"]["stages"]
            self.assertEqual([r["stage"] for r in rows], STAGES)
            return all(r["samples"] > 0 for r in rows) and rows

        self.refresh(20)
        rows = wait_for("samples of every stage", is_all_seen, timeout=60)
        all_ns = sum(row["mean_ns"] * row["samples"] for row in rows)
        for row in rows:
            self.assertGreater(row["mean_ns"], 0, row)
            self.assertLessEqual(row["p50_ns"], row["p99_ns"])
            # Who preempts the worker can make one stage look long, and the others nothing beside it.
            self.assertAlmostEqual(row["share_percent"], 100 * row["mean_ns"] * row["samples"] / all_ns, delta=1)
        data = self.lab.ctl("stages")["data"]
        self.assertAlmostEqual(sum(r["share_percent"] for r in data["stages"]), 100, delta=1)
        for stage in data["stages"]:
            of_workers = [r["samples"] for r in data["per_worker"] if r["stage"] == stage["stage"]]
            self.assertGreaterEqual(sum(of_workers), 1, stage)
        self.assertRegex(self.cli("stages"), r"(?m)^lease +\d+\.\d ")

    def test_rates_are_those_of_the_clients(self):
        before, busy_ns = self.stat("reg_local_ok"), self.stat("busy_ns")
        look = subprocess.Popen(self.args("--json", "top", "--interval", "2"), stdout=subprocess.PIPE)
        given = lease()
        with Ws() as ws:
            sip = Sip(ws, given)
            while look.poll() is None:
                self.assertEqual(sip.register().status, 200)
                time.sleep(0.01)
        answer = json.loads(look.communicate()[0])
        data = answer["data"]
        self.assertEqual(answer["schema"], "regate.top/1")
        seen = round(data["total"]["refreshes_per_s"] * data["interval_ms"] / 1000)
        self.assertGreater(seen, 0)
        self.assertLessEqual(seen, self.stat("reg_local_ok") - before + 1)  # to a tenth a second
        self.assertGreater(self.stat("busy_ns"), busy_ns)
        self.assertLessEqual(data["total"]["busy_percent"], 101)
        self.assertEqual([r["stage"] for r in data["stages"]], STAGES)
        self.assertEqual(len(data["workers"]), self.lab.ctl("status")["data"]["workers"])

    def test_plain_without_a_terminal(self):
        for args in ("top",), ("top", "--once"):
            text = self.cli(*args)
            self.assertNotIn("\x1b", text)
            self.assertRegex(text, r"(?m)^  refreshes/s +\d+\.\d$")
            self.assertRegex(text, r"(?m)^  WORKER +BUSY PERCENT +CONNECTIONS +REFRESHES/S")
            self.assertRegex(text, r"(?m)^  lease ")

    def on_terminal(self, *args):
        pid, fd = pty.fork()
        if pid == 0:
            os.execv(self.args()[0], self.args(*args))
        return pid, fd

    def read_all(self, fd, got):
        try:
            while more := os.read(fd, 4096):
                got.append(more.decode())
        except OSError:
            pass  # the other side has ended

    def ends_with(self, pid, fd, reader):
        reader.join(20)
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_live_on_a_terminal_until_ctrl_c(self):
        pid, fd = self.on_terminal("top")
        got = []
        reader = threading.Thread(target=self.read_all, args=(fd, got))
        reader.start()
        wait_for("the third view", lambda: "".join(got).count("\x1b[H") >= 3)
        os.write(fd, b"\x03")
        self.assertEqual(self.ends_with(pid, fd, reader), 0)
        text = "".join(got)
        self.assertRegex(text, r"refreshes/s +\d")
        self.assertTrue(re.search(r"\x1b\[\?7h[^\x1b]*$", text), repr(text[-80:]))

    def test_once_and_json_on_a_terminal(self):
        for args in ("top", "--once"), ("--json", "top"):
            pid, fd = self.on_terminal(*args)
            got = []
            reader = threading.Thread(target=self.read_all, args=(fd, got))
            reader.start()
            self.assertEqual(self.ends_with(pid, fd, reader), 0)
            self.assertNotIn("\x1b", "".join(got))
            self.assertIn("refreshes", "".join(got))


if __name__ == "__main__":
    main()
