# SPDX-License-Identifier: BSD-3-Clause
"""The driver "socket" of regate-bench: each kind of scenario once in small against a gateway, and what
it says of targets that are none. No time is looked at."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "lib"), os.path.join(HERE, "../lib")]
from case import GatewayCase, main  # noqa: E402
from lab import BUILD, GATEWAY_HOST, ROOT, wait_for  # noqa: E402
from rubbish import OK, Rubbish, frame  # noqa: E402
from wic import lease  # noqa: E402
import json_schema  # noqa: E402

BENCH = BUILD + "/bench/regate-bench"
N = 20
with open(os.path.join(ROOT, "bench/run/result.schema.json")) as f:
    SCHEMA = json.load(f)


def run(folder, want=0, **keys):
    """The result as JSON (None without one) and what was said on stderr."""
    keys = {"driver": "socket", "conns": N, "requests": 200, "runs": 2, "warmup": 1, "window": 8} | keys
    path = os.path.join(folder, "scenario.yaml")
    with open(path, "w") as f:
        f.write("".join(f"{k}: {json.dumps(v)}\n" for k, v in keys.items()))
    out = subprocess.run([BENCH, "run", path, "--json", "-"], capture_output=True, text=True, timeout=100)
    if out.returncode != want:
        raise AssertionError(f"exit {out.returncode}: {out.stderr}")
    result = json.loads(out.stdout) if out.stdout else None
    wrong = list(json_schema.errors(SCHEMA, result)) if result else []
    assert not wrong, wrong
    return result, out.stderr


def values(result, name):
    return next(s["values"] for s in result["series"] if s["name"] == name)


def count_of(result, name):
    return next(h["count"] for h in result["histograms"] if h["name"] == name)


class Kinds(GatewayCase):
    lab_args = {"pool": 400, "conf": {"dataplane": {"head_timeout": "2s", "idle_timeout": "3s"},
                                      "registration": {"rate": 1000, "rate_burst": 1000}}}

    def bench(self, kind, **keys):
        result, _ = run(self.lab.dir, kind=kind, target=f"{GATEWAY_HOST}:443", origin=f"https://{GATEWAY_HOST}",
                        **keys)
        self.assertFalse(result["partial"])
        return result

    def all_done(self, result, op, n):
        c = result["counters"]
        self.assertEqual(result["errors"], [])
        self.assertEqual(c[op + "_ok"], n)
        self.assertEqual(c[op + "_sent"], n)
        return n

    def test_refresh(self):
        before = self.stat("sip_messages")
        result = self.bench("refresh", target_pid=self.lab.regated.pid)
        self.all_done(result, "refresh", 400)
        self.assertEqual(self.stat("sip_messages") - before, N + 3 * 200)  # registered, warmed up, two runs
        self.assertEqual(count_of(result, "refresh_latency"), 400)
        self.assertEqual(len(values(result, "target_cpu_per_operation")), 2)
        self.assertTrue(all(0 <= x <= 1.01 for x in values(result, "generator_busy")))
        self.assertEqual(result["facts"]["target_processes"], 1)

    def test_other_suites(self):
        for suite, group in (("aes256", "p256"), ("chacha20", "x25519")):
            self.all_done(self.bench("refresh", suite=suite, group=group, runs=1, warmup=0), "refresh", 200)

    def test_certificate_is_checked(self):
        self.all_done(self.bench("refresh", ca=self.lab.path("tls.crt"), runs=1), "refresh", 200)
        _, err = run(self.lab.dir, 1, kind="refresh", target=f"{GATEWAY_HOST}:443", ca=self.lab.path("tls.crt"),
                     server_name="other.example.net", origin=f"https://{GATEWAY_HOST}")
        self.assertIn("TLS handshake: OpenSSL refused it: hostname mismatch", err)

    def test_open_loop(self):
        result = self.bench("refresh", rate=500, duration="1s", requests=0)
        self.assertEqual(result["scenario"]["loop"], "open")
        n = result["counters"]["refresh_sent"]
        self.all_done(result, "refresh", n)
        self.assertGreater(n, 800)
        self.assertLess(n, 1200)

    def test_search(self):
        result = self.bench("refresh", **{"search": {"loss": 0.025, "from": 200}}, duration="1s", requests=0, runs=1)
        self.assertGreater(values(result, "highest_rate")[0], 0)

    def test_cold(self):
        result = self.bench("cold", close="ws")
        n = self.all_done(result, "registration", 400)
        for part in ("connect", "tls_handshake", "upgrade", "register"):
            self.assertEqual(count_of(result, part + "_latency"), n)

    def test_resumption(self):
        result = self.bench("resumption")
        n = self.all_done(result, "registration", 400)
        self.assertGreaterEqual(result["counters"]["resumed"], n + 198)  # and those of the warm-up

    def test_handshake(self):
        before = self.stat("sip_messages")
        self.all_done(self.bench("handshake", requests=100, close="fin"), "handshake", 200)
        self.all_done(self.bench("handshake", requests=50, upgrade="no"), "handshake", 100)
        self.assertEqual(self.stat("sip_messages"), before)

    def test_idle(self):
        result = self.bench("idle", duration="1s", conns=100, target_pid=self.lab.regated.pid)
        self.assertEqual(values(result, "connections_held"), [100, 100])
        self.assertEqual(len(values(result, "bytes_per_connection")), 2)
        self.assertEqual(result["counters"]["lost"], 0)

    def test_mixed(self):
        result = self.bench("mixed", churn=30, reconnects=30, rate=200)
        c = result["counters"]
        self.assertEqual(c["refresh_sent"] + c["churn_sent"] + c["reconnect_sent"], 400)
        for op in ("refresh", "churn", "reconnect"):
            self.assertGreater(c[op + "_sent"], 0)
            self.all_done(result, op, c[op + "_sent"])

    def test_storm(self):
        result = self.bench("storm", requests=0)
        self.all_done(result, "reconnect", 2 * N)
        self.assertEqual(result["counters"]["not_registered_again"], 0)
        self.assertEqual(sum(next(t for t in result["tracks"])["values"]), N)

    def test_storm_after_restart(self):
        """The target is killed and started by a command; the clients find out and come back."""
        begun, done = self.lab.path("begun"), self.lab.path("done")
        results = []
        thread = threading.Thread(target=lambda: results.append(self.bench(
            "storm", requests=0, runs=1, warmup=0, timeout="2s",
            restart=f"touch {begun}; while [ ! -e {done} ]; do sleep 0.05; done")))
        thread.start()
        try:
            wait_for("the command", lambda: os.path.exists(begun) or not thread.is_alive(), 60)
            self.lab.stop(self.lab.regated, signal.SIGKILL)
            self.lab.start_regated()
        finally:
            self.lab.write("done", "")
            thread.join()
        self.assertEqual(results[0]["counters"]["reconnect_ok"], N)
        self.assertEqual(results[0]["counters"]["not_registered_again"], 0)

    def test_deregistration(self):
        self.all_done(self.bench("dereg", requests=0), "deregistration", 2 * N)

    def test_lease_api(self):
        result = self.bench("lease_api", requests=30)
        n = self.all_done(result, "lease", 60)
        self.assertEqual([count_of(result, f"lease_{x}_latency") for x in ("take", "renew", "give")], [n] * 3)

    def test_accounts_and_files(self):
        """One account, one client; then the tokens of a file."""
        self.all_done(self.bench("refresh", tokens="account", user="alice", password="correct horse", conns=1,
                                 requests=20), "refresh", 40)
        given = [lease() for _ in range(3)]
        tokens = self.lab.write("tokens", "# impu impi token\n" + "".join(
            "{impu} {impi} {token}\n".format(**x) for x in given))
        self.all_done(self.bench("refresh", tokens="file", token_file=tokens, conns=3), "refresh", 400)
        _, err = run(self.lab.dir, 1, kind="refresh", target=f"{GATEWAY_HOST}:443", tokens="file", token_file=tokens)
        self.assertIn("3 lines for 20 clients: add some, or lower conns", err)

    def test_refused(self):
        """No token, a wrong domain, a wrong origin: the first answer says it all."""
        for keys, what in (({"tokens": "none", "origin": f"https://{GATEWAY_HOST}"}, "REGISTER: SIP 401"),
                           ({"origin": "https://evil.example.net"}, "POST of a lease: HTTP 403"),
                           ({"tokens": "none", "path": "/nowhere"}, "upgrade: HTTP 400")):
            _, err = run(self.lab.dir, 1, kind="refresh", target=f"{GATEWAY_HOST}:443", **keys)
            self.assertEqual(err.count("regate-bench: "), 1, err)
            self.assertIn(what, err)

    def test_core_outage(self):
        """The core is stopped for a third of the time; refreshes go on without it."""
        result = self.bench("core_outage", rate=100, duration="3s", requests=0, runs=1, warmup=0,
                            outage_begin=f"kill -STOP {self.lab.core.pid}", outage_end=f"kill -CONT {self.lab.core.pid}")
        for op in ("refresh", "refresh_in_outage", "refresh_after_outage"):
            self.assertGreater(result["counters"][op + "_ok"], 50)
        _, err = run(self.lab.dir, 3, kind="core_outage", target=f"{GATEWAY_HOST}:443", rate=100, duration="1s", requests=0,
                     origin=f"https://{GATEWAY_HOST}", warmup=0, outage_begin="exit 7")
        self.assertIn("outage_begin: 'exit 7' ended with code 7", err)

    def misbehave(self, how, duration="1s", **keys):
        result = self.bench("refresh", misbehaviour=how, misbehaving=10, rate=50, duration=duration, requests=0, runs=1,
                            warmup=0, **keys)
        c = result["counters"]
        self.assertEqual(c.get("refresh_failed", 0), 0)
        self.assertEqual(c["refresh_sent"], c["refresh_ok"])
        self.assertGreaterEqual(c[how + "_sent"], 10)
        return c, {e["text"]: e["count"] for e in result["errors"]}

    def test_half_handshake(self):
        c, ends = self.misbehave("half_handshake", "3s")
        self.assertEqual(ends["half_handshake: silence: the target reset the connection"], 10)

    def test_handshake_flood(self):
        c, ends = self.misbehave("handshake_flood", misbehave_rate=50)
        self.assertGreater(c["handshake_flood_ok"], 10)

    def test_slow(self):
        self.misbehave("slow_head")
        self.misbehave("slow_frame")

    def test_no_read(self):
        self.misbehave("no_read")

    def test_no_close(self):
        c, ends = self.misbehave("no_close", "3s")
        self.assertEqual(ends["no_close: waiting for the close: WebSocket close 1002, then FIN"], 10)

    def test_oversize(self):
        c, ends = self.misbehave("oversize", "3s")
        self.assertEqual(ends["oversize: oversized message: WebSocket close 1009, then FIN"], 10)

    def test_tokens(self):
        c, ends = self.misbehave("bad_token", misbehave_rate=50)
        self.assertEqual(ends, {"bad_token: REGISTER with a bad token: SIP 401": c["bad_token_sent"]})
        c, ends = self.misbehave("replay", misbehave_rate=50)
        self.assertEqual(ends, {"replay: REGISTER with another's token: SIP 403": c["replay_sent"]})


UPGRADE = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
ACCEPT = "Sec-WebSocket-Accept: {accept}\r\n"
GOOD = OK.format(call_id="x", cseq=1).encode()


class Targets(unittest.TestCase):
    """Targets that are none: one line, an exit code, and what was measured before."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="regate-")
        cls.cert, cls.key = cls.dir + "/crt", cls.dir + "/key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "7", "-subj", "/CN=rubbish", "-keyout", cls.key, "-out", cls.cert],
                       check=True, stderr=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def fails(self, words, want=1, target=None, keys=None, **how):
        with Rubbish(self.cert, self.key, **how) as server:
            result, err = run(self.dir, want, kind="refresh", tokens="none", conns=4, window=4, timeout="2s", warmup=0,
                              target=target or server.target, **(keys or {}))
        said = [line for line in err.splitlines() if line.startswith("regate-bench: ")]
        self.assertEqual(len(said), 1, err)
        self.assertIn(words, said[0])
        self.assertTrue(result["partial"])
        self.assertIn(words, result["why"])
        return result

    def test_good(self):
        with Rubbish(self.cert, self.key) as server:
            result, _ = run(self.dir, kind="refresh", tokens="none", conns=4, target=server.target, warmup=0)
        self.assertEqual(result["counters"]["refresh_ok"], 400)

    def test_unreachable(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        self.fails("TCP connect: Connection refused; is the target running, on that port?", target=f"127.0.0.1:{port}")
        self.fails("target: no.such.host.invalid:443: no such host", target="no.such.host.invalid:443")

    def test_no_tls(self):
        self.fails("TLS handshake: OpenSSL refused it: wrong version number; does it speak TLS 1.3", tls=False)

    def test_old_tls(self):
        self.fails("TLS alert 70 (protocol version); does it speak TLS 1.3", version=ssl.TLSVersion.TLSv1_2)

    def test_silent(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.fails("TLS handshake: no answer in time", target="127.0.0.1:%d" % s.getsockname()[1])

    def test_upgrade(self):
        for head, words in (
                ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "upgrade: HTTP 500; are path and origin right"),
                ("SSH-2.0-OpenSSH\r\n", "upgrade there came: something that is not HTTP/1.1"),
                (UPGRADE + "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
                 "Sec-WebSocket-Accept does not belong to our key"),
                (UPGRADE + ACCEPT + "\r\n", "an upgrade without the subprotocol sip"),
                (UPGRADE + ACCEPT + "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Extensions: x\r\n\r\n",
                 "an extension that was not offered")):
            self.fails(words, head=head)

    def test_rubbish(self):
        for bad, words in (
                ("hello", "a message that is not SIP"),
                (OK.replace("{cseq}", "7777"), "a CSeq that is not the request's"),
                (OK.replace("{call_id}", "x"), "a Call-ID that is not the request's"),
                (OK.replace("REGISTER", "INVITE"), "without one good CSeq"),
                (OK.replace("\r\n\r\n", "\r\n"), "whose head has no end"),
                (frame(GOOD)[:50], "the end amid a WebSocket frame"),
                (b"\x81\xff" + b"x" * 130, "a masked WebSocket frame"),
                (b"\xf1\x00", "a WebSocket frame with a reserved bit"),
                (b"\x83\x00", "a reserved opcode"),
                (b"\x81\x7e\x00\x05hello", "whose length is not minimal"),
                (b"\x81\x7f\x00\x00\x00\x00\x00\x02\x00\x00", "of more than 64 KiB"),
                (b"\x09\x00", "a control frame that is cut in pieces"),
                (frame(b"x", 0x80), "a continuation of no message"),
                (frame(b"x", 0x01) + frame(b"x"), "amid the fragments of another"),
                (frame(b"\x03", 0x88), "a close frame of one byte")):
            self.fails(words, fault=lambda n, bad=bad: bad)

    def test_rubbish_later(self):
        """200 refreshes of the first run are done, and told; so is what came of the second run."""
        result = self.fails("REGISTER there came: a message that is not SIP", want=3,
                            fault=lambda n: "hello" if n > 4 + 300 else None)
        self.assertEqual(len(values(result, "refreshes_per_s")), 2)
        self.assertGreaterEqual(result["counters"]["refresh_ok"], 296)
        self.assertGreaterEqual(result["counters"]["refresh_failed"], 1)

    def test_gone(self):
        """Connections that the target closes under a request are failures, and end nothing else."""
        with Rubbish(self.cert, self.key, gone=True) as server:
            result, _ = run(self.dir, kind="cold", tokens="none", conns=4, window=4, duration="1s", runs=2, warmup=0,
                            target=server.target)
        self.assertEqual(len(values(result, "failed_share")), 2)
        self.assertGreater(result["counters"]["registration_ok"], 0)
        self.assertGreater(result["counters"]["registration_failed"], 0)

    def test_refused_later(self):
        """SIP 503 is no rubbish: it is counted, and the run goes on."""
        with Rubbish(self.cert, self.key, fault=lambda n: OK.replace("200 OK", "503 No") if n > 1 and n % 2 else None) as server:
            result, _ = run(self.dir, kind="refresh", tokens="none", conns=1, window=1, requests=6, runs=1, warmup=0,
                            target=server.target)
        self.assertEqual(result["counters"]["refresh_failed"], 3)
        self.assertEqual({e["text"]: e["count"] for e in result["errors"]}, {"refresh: REGISTER: SIP 503": 3})

    def test_pieces(self):
        """Fragments, pings between them, and requests are what a server may send."""
        def pieces(n):
            return lambda answer: (frame(b"tick", 0x89) + frame(answer[:10], 0x01) + frame(b"", 0x00) + frame(b"", 0x8a)
                                   + frame(answer[10:], 0x80) + frame(b"OPTIONS sip:x SIP/2.0\r\n\r\n"))

        with Rubbish(self.cert, self.key, fault=pieces) as server:
            result, _ = run(self.dir, kind="refresh", tokens="none", conns=2, target=server.target, warmup=0, runs=1)
        self.assertGreaterEqual(result["counters"]["requests_of_target"], 200)
        self.assertGreaterEqual(result["counters"]["pings_answered"], 200)
        self.assertEqual(result["counters"]["refresh_ok"], 200)

    def test_command_line(self):
        _, err = run(self.dir, 2, kind="refresh")
        self.assertIn("key 'target' is missing", err)
        self.fails("source: nonsense: no address", keys={"source": "nonsense"})
        self.fails("target_pidfile: /nonexistent: no process id stands there", keys={"target_pidfile": "/nonexistent"})

    def test_sources(self):
        with Rubbish(self.cert, self.key) as server:
            result, _ = run(self.dir, kind="handshake", conns=50, target=server.target, source="127.9.0.0/29", warmup=0)
        self.assertEqual(result["counters"]["handshake_ok"], 400)


if __name__ == "__main__":
    main()
