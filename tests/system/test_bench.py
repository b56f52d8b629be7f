# SPDX-License-Identifier: BSD-3-Clause
"""scripts/bench as a user runs it, in small: its table and files are what they should be, what is
missing costs one line, and nothing is left behind, however it ends. No figure is looked at."""

import glob
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "lib"), os.path.join(HERE, "../lib")]
import json_schema  # noqa: E402
from case import main  # noqa: E402
from lab import BUILD, ROOT, wait_for  # noqa: E402
from test_run import traces  # noqa: E402

PEERS = ROOT + "/bench/peers/peers.py"
SMALL = ["--quick", "--conns", "60", "--runs", "1", "--time", "300"]
PORT = 18443


def schema(path):
    with open(os.path.join(ROOT, path)) as f:
        return json.load(f)


def load(path):
    with open(path) as f:
        return json.load(f)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="regate-bench-test-")
        self.addCleanup(folder.cleanup)
        self.tmp, self.out = os.path.join(folder.name, "tmp"), os.path.join(folder.name, "out")
        os.mkdir(self.tmp)
        self.env = dict(os.environ, TMPDIR=self.tmp, REGATE_BUILD=BUILD)
        self.before = traces(self.tmp)

    def tearDown(self):
        wait_for("a clean end", lambda: traces(self.tmp) == self.before, 15)

    def check(self, path, what):
        value = load(path)
        self.assertEqual(list(json_schema.errors(schema(what), value)), [], path)
        return value

    def suite(self):
        return self.check(os.path.join(self.out, "suite.json"), "bench/suite/suite.schema.json")

    def bench(self, *args, want=0, **env):
        done = subprocess.run([ROOT + "/scripts/bench", "--out", self.out, *args], capture_output=True,
                              text=True, timeout=300, env=dict(self.env, **env))
        self.assertEqual(done.returncode, want, done.stdout + done.stderr)
        return done


class Bench(Case):
    def test_quick(self):
        also = os.path.join(self.out, "also.json")
        os.mkdir(self.out)
        text = self.bench(*SMALL, "--only", "refresh,cold,memory", "--json", also).stdout
        self.assertIn("RATIOS ONLY", text)
        suite = self.suite()
        self.assertEqual(suite, load(also))
        rows = {r["name"]: r for r in suite["rows"]}
        self.assertEqual(set(rows), {
            "refresh-ring-60", "refresh-kamailio-60", "refresh-openssl-60", "handshake-ring", "cold-kamailio",
            "cold-openssl", "memory-ring"})
        for name in "refresh-ring-60", "handshake-ring", "refresh-openssl-60", "cold-openssl":
            self.assertGreater(rows[name]["ratio_to_kamailio"], 0, name)
        for name in "refresh-kamailio-60", "cold-kamailio":
            self.assertEqual(rows[name]["ratio_to_kamailio"], 1, name)
        for name in "memory-ring", "refresh-kamailio-60":
            self.assertIsNotNone(rows[name]["bytes_per_conn"], name)
        for name, row in rows.items():
            self.assertIn(row["title"], text, name)
        results = glob.glob(os.path.join(self.out, "*-1.json"))
        self.assertEqual(len(results), len(rows))
        for path in results:
            self.check(path, "bench/run/result.schema.json")
        self.assertGreater(os.path.getsize(os.path.join(self.out, "report.html")), 1000)

    def test_tap(self):
        # No connection may send more than 1000 REGISTERs per second.
        self.bench("--conns", "400", "--runs", "1", "--time", "300", "--only", "tap")
        self.assertEqual([r["name"] for r in self.suite()["rows"]], ["refresh-tap-400", "cold-tap"])

    def test_a_peer_that_is_missing(self):
        done = self.bench(*SMALL, "--only", "refresh,cold", want=3, PATH="/usr/bin:/bin")
        said = [x for x in done.stdout.splitlines() if x.startswith("failed")]
        self.assertEqual(said, ["failed    kamailio: kamailio is missing: scripts/setup bench installs "
                                "kamailio-websocket-modules and kamailio-tls-modules"])
        suite = self.suite()
        self.assertTrue(suite["partial"])
        self.assertEqual({r["participant"] for r in suite["rows"]}, {"ring", "openssl"})
        self.assertIsNone(suite["rows"][0]["ratio_to_kamailio"])

    def test_no_time(self):
        done = self.bench("--only", "many", "--time", "20", want=1)
        self.assertIn("--time gives more", done.stdout)
        self.assertEqual(self.suite()["rows"], [])


class Ends(Case):
    def ended_by(self, sig, want):
        proc = subprocess.Popen([ROOT + "/scripts/bench", *SMALL, "--runs", "50", "--only", "refresh", "--out",
                                 self.out], stdout=subprocess.PIPE, text=True, start_new_session=True,
                                env=self.env)
        for line in proc.stdout:
            if "regate, rings: refresh" in line:  # Kamailio is next
                break
        if sig == signal.SIGINT:
            wait_for("Kamailio", lambda: glob.glob(self.tmp + "/*/refresh-kamailio-60-1/peer.log"))
            os.killpg(proc.pid, sig)  # as a terminal does
        else:
            wait_for("Kamailio", lambda: os.path.exists(self.out + "/refresh-kamailio-60-1.yaml"))
            proc.send_signal(sig)
        proc.stdout.read()
        self.assertEqual(proc.wait(60), want)

    def keeps_what_it_has(self):
        suite = self.suite()
        self.assertTrue(suite["partial"])
        self.assertEqual(suite["rows"][0]["name"], "refresh-ring-60")

    def test_ctrl_c(self):
        self.ended_by(signal.SIGINT, 3)
        self.keeps_what_it_has()

    def test_sigterm(self):
        self.ended_by(signal.SIGTERM, 3)
        self.keeps_what_it_has()

    def test_kill_9(self):
        self.ended_by(signal.SIGKILL, -signal.SIGKILL)


class CommandLine(Case):
    def test_bad_options(self):
        for args, says in ((["--only", "nonsense"], "no part 'nonsense'; there are: refresh cold memory"),
                           (["--cpus", "0,0"], "name two CPUs that may be used"),
                           (["--cpus", "0,4096"], "name two CPUs that may be used"),
                           (["--conns", "0"], "--conns"), (["--runs", "x"], "--runs"),
                           (["--json", "/nowhere/x.json"], "/nowhere/x.json: No such file or directory"),
                           (["--out", "/proc/x"], "/proc/x: No such file or directory"),
                           (["--slow"], "--slow")):
            with self.subTest(args):
                done = self.bench(*args, want=2)
                self.assertIn(says, done.stderr)
                self.assertNotIn("Traceback", done.stderr)

    def test_help(self):
        self.assertIn("--quick", self.bench("--help").stdout)


class Peers(Case):
    def peers(self, *args, want=0):
        done = subprocess.run([PEERS, *args, "--dir", self.out], capture_output=True, text=True, timeout=60,
                              env=self.env)
        self.assertEqual(done.returncode, want, done.stdout + done.stderr)
        return json.loads(done.stdout) if done.stdout else done.stderr

    def up(self, kind, *args, **kw):
        self.addCleanup(subprocess.run, [PEERS, "down", "--dir", self.out], capture_output=True)
        return self.peers("up", kind, "--port", str(PORT), "--conns", "50", *args, **kw)

    def load(self, state, tokens):
        keys = {"target": f"127.0.0.1:{PORT}", "ca": state["certificate"], "tokens": "file",
                "token_file": tokens, "domain": state["domain"], "origin": "https://127.0.0.1", "conns": 20,
                "runs": 1, "duration": "1s", "driver": "socket"}
        return subprocess.run([BUILD + "/bench/regate-bench", "run", "refresh", "--json", "-"] +
                              [x for k, v in keys.items() for x in ("--set", f"{k}={v}")],
                              capture_output=True, text=True, timeout=60)

    def test_only_those_who_have_a_token(self):
        state = self.up("kamailio")
        done = self.load(state, state["tokens"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["counters"]["refresh_failed"], 0)
        self.assertGreater(self.peers("stat")["memory_bytes"], 1 << 20)
        with open(state["tokens"]) as f:
            lines = [x.split() for x in f]
        wrong = os.path.join(self.tmp, "tokens")
        with open(wrong, "w") as f:  # each has the token of the next
            f.writelines(f"{a[0]} {a[1]} {b[2]}\n" for a, b in zip(lines, lines[1:]))
        done = self.load(state, wrong)
        os.unlink(wrong)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("401", done.stderr)
        self.peers("down")

    def test_each_lets_clients_in(self):
        for kind in "kamailio-open", "nginx", "haproxy", "openssl":
            with self.subTest(kind):
                state = self.up(kind)
                done = self.load(state, state["tokens"])
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertGreater(json.loads(done.stdout)["counters"]["refresh_ok"], 0)
                self.peers("down")

    def test_one_folder_one_peer(self):
        self.up("openssl")
        self.assertIn("has a peer already", self.up("openssl", want=1))
        self.peers("down")
        self.assertIn("no peer in", self.peers("down", want=1))

    def test_its_life_ends(self):
        self.up("openssl", "--life", "1")
        wait_for("its end", lambda: not os.path.exists(os.path.join(self.out, "peer.json")))

    def test_a_port_that_is_taken(self):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", PORT))
            s.listen()
            self.assertIn(f"127.0.0.1:{PORT} is in use", self.up("nginx", want=1))

    def test_more_connections_than_files(self):
        said = self.peers("up", "haproxy", "--conns", "1000000", want=1)
        self.assertIn("raise ulimit -Hn", said)


if __name__ == "__main__":
    main()
