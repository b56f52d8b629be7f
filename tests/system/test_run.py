# SPDX-License-Identifier: BSD-3-Clause
"""scripts/run as a user runs it: it shows a registration, ends, and leaves nothing behind."""

import glob
import os
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import main  # noqa: E402
from lab import HUGE, ROOT, TAP, wait_for  # noqa: E402


def traces(folder):
    """Whatever a run with TMPDIR=folder could leave behind, as one comparable value."""
    pids = set()
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as f:
                if f"TMPDIR={folder}".encode() in f.read().split(b"\0"):
                    pids.add(path)
        except OSError:
            pass
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
    netns = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    with open(HUGE + "nr_hugepages") as f:
        huge = f.read()
    return pids, TAP in links, netns, huge, os.listdir(folder)


class Run(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="regate-run-")
        self.addCleanup(os.rmdir, self.folder)
        self.env = dict(os.environ, TMPDIR=self.folder)
        self.before = traces(self.folder)

    def tearDown(self):
        wait_for("a clean end", lambda: traces(self.folder) == self.before, 10)

    def run_once(self, *args):
        done = subprocess.run([ROOT + "/scripts/run", "--once", *args], capture_output=True, text=True,
                              timeout=180, env=self.env)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("de-registered", done.stdout)
        self.assertLess(len(done.stdout.splitlines()), 15, done.stdout)
        return done.stdout

    def test_once(self):
        self.assertIn("2 answered in the dataplane", self.run_once())

    def test_once_with_kamailio(self):
        self.assertIn("kamailio", self.run_once("--core", "kamailio"))

    def test_once_on_the_host(self):
        self.run_once("--host-net")

    def stopped_by(self, sig, status=0):
        proc = subprocess.Popen([ROOT + "/scripts/run"], stdout=subprocess.PIPE, text=True,
                                start_new_session=True, env=self.env)
        for line in proc.stdout:
            if line.startswith("ready"):
                break
        os.killpg(proc.pid, sig)
        proc.stdout.read()
        self.assertEqual(proc.wait(60), status)

    def test_ctrl_c(self):
        self.stopped_by(signal.SIGINT)

    def test_sigterm(self):
        self.stopped_by(signal.SIGTERM)

    def test_terminal_closed(self):
        self.stopped_by(signal.SIGHUP)

    def test_kill_9(self):
        self.stopped_by(signal.SIGKILL, -signal.SIGKILL)

    def test_bad_option(self):
        done = subprocess.run([ROOT + "/scripts/run", "--core", "nonsense"], capture_output=True, text=True,
                              env=self.env)
        self.assertEqual(done.returncode, 2)
        self.assertIn("invalid choice", done.stderr)

    def test_core_that_cannot_start(self):
        import socket
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", 6060))
            s.listen()
            done = subprocess.run([ROOT + "/scripts/run", "--once", "--host-net"], capture_output=True,
                                  text=True, timeout=120, env=self.env)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertIn("in use", done.stderr)


if __name__ == "__main__":
    main()
