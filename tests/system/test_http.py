# SPDX-License-Identifier: BSD-3-Clause
"""Every request of tests/data/http/cases.txt over TLS to the running gateway: in one record, in two,
and a byte at a time. And what only a gateway can show: long bodies for the control plane, 100
Continue, time-outs."""

import json
import os
import random
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import GATEWAY_IP, ROOT, wait_for  # noqa: E402
import slow  # noqa: E402
from slow import HEAD  # noqa: E402
from wic import ORIGIN, BioTls, http, tls_connect  # noqa: E402

ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", "~": b"~"}
TOKEN = re.compile(r"\{(\d+):([^}]*)\}|\\x(..)|\\(.)|(~)|(.)")
JSON = f"Host: {GATEWAY_IP}\r\nOrigin: {ORIGIN}\r\nContent-Type: application/json\r\n"


def decode(text):
    out = b""
    for times, repeated, hexa, escape, crlf, plain in TOKEN.findall(text):
        if times:
            out += int(times) * decode(repeated)
        elif hexa:
            out += bytes([int(hexa, 16)])
        elif escape:
            out += ESCAPES[escape]
        else:
            out += b"\r\n" if crlf else plain.encode()
    return out


def load():
    with open(os.path.join(ROOT, "tests/data/http/cases.txt"), encoding="utf-8") as f:
        lines = [x.rstrip("\n").split("|", 3) for x in f if x.strip() and x[0] != "#"]
    return [(name.strip(), expect.split(), decode(text[1:])) for _, expect, name, text in lines]


def read_answers(sock, heads, data=b""):
    """All answers until the gateway ends the connection: [(status, headers, body)]."""
    answers = []
    while more := sock.recv(65536):
        data += more
    while data:
        head, found, data = data.partition(b"\r\n\r\n")
        assert found, "half a head: %r" % head
        lines = head.decode().split("\r\n")
        status = int(re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Z].*", lines[0])[1])
        headers = {k.lower(): v for k, _, v in (x.partition(": ") for x in lines[1:])}
        assert len(headers) == len(lines) - 1, lines
        is_head = heads and heads.pop(0)
        n = int(headers["content-length"]) if status >= 200 else 0
        assert n > 0 or status == 100, "an answer without words"
        body = b"" if is_head else data[:n]
        assert is_head or len(body) == n, "half a body"
        data = data[len(body):]
        answers.append((status, headers, body))
    return answers


class Cases(GatewayCase):
    def replay(self, name, expect, pieces):
        sock = BioTls()
        if "413" in expect:  # where a body may be long
            pieces = [x.replace(b" /none ", b" /v1/lease ") for x in pieces]
        for piece in pieces:
            sock.sendall(piece)
        want = [404 if x in ("ok", "head", "close") else int(x) for x in expect if x != "more"]
        # Whoever was refused is told to go; the others go when they have what they expect.
        is_refused = expect[-1] == "close" or expect[-1].isdigit()
        data = b""
        while not is_refused and data.count(b"HTTP/1.1 ") < len(want):
            data += sock.recv(65536)
        if not is_refused:
            sock.end()
        answers = read_answers(sock, [x == "head" for x in expect], data)
        sock.close()
        self.assertEqual([x[0] for x in answers], want, f"{name}: {answers}")
        if is_refused:
            self.assertEqual(answers[-1][1].get("connection"), "close", name)

    def test_in_one_piece(self):
        for name, expect, data in load():
            with self.subTest(name):
                self.replay(name, expect, [data])

    def test_cut_in_two(self):
        rng = random.Random(1)
        for name, expect, data in load():
            at = rng.randrange(1, len(data))
            with self.subTest(name, at=at):
                self.replay(name, expect, [data[:at], data[at:]])

    def test_a_byte_at_a_time(self):
        for name, expect, data in load():
            if len(data) < 1000:
                with self.subTest(name):
                    self.replay(name, expect, [data[i:i + 1] for i in range(len(data))])


class Bodies(GatewayCase):
    lab_args = {"conf": {"dataplane": {"head_timeout": "3s", "idle_timeout": "6s"}}}
    good = json.dumps({"anonymous": True})

    def ask(self, text):
        with tls_connect() as s:
            s.sendall(text if isinstance(text, bytes) else text.encode())
            return s.recv(65536)

    def test_longest_body(self):
        """64 KiB to the control plane and back out of its JSON reader."""
        body = self.good + " " * (65536 - len(self.good))
        for _ in range(20):
            self.assertEqual(http("POST", "/v1/lease", body.encode()).status, 201)
        chunks = "".join(f"1000\r\n{body[i:i + 4096]}\r\n" for i in range(0, 65536, 4096))
        answer = self.ask(f"POST /v1/lease HTTP/1.1\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 201 "), answer)
        self.assertEqual(http("POST", "/v1/lease", b"x" * 65536).status, 400)
        self.assertEqual(http("POST", "/v1/lease", b"x" * 65537).status, 413)
        wait_for("all buffers back", lambda: self.stat("now_rx_buffers") == 0)

    def test_pipelined_over_the_control_plane(self):
        """Answers come in the order of the requests, whoever gives them."""
        post = f"POST /v1/lease HTTP/1.1\r\n{JSON}Content-Length: {len(self.good)}\r\n\r\n{self.good}"
        page = f"HEAD / HTTP/1.1\r\nHost: {GATEWAY_IP}\r\n\r\n"
        none = f"HEAD /none HTTP/1.1\r\nHost: {GATEWAY_IP}\r\n\r\n"
        sock = BioTls()
        sock.sendall((post + page + none + post + none + page).encode())
        data = b""
        while data.count(b"HTTP/1.1 ") < 6:
            data += sock.recv(65536)
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", data), [b"201", b"200", b"404", b"201", b"404", b"200"])
        sock.close()

    def test_head_says_what_get_says(self):
        for path in ("/", "/none", "/v1/lease", "/v1/none", "/w2"):
            with self.subTest(path):
                get, head = http("GET", path), http("HEAD", path)
                self.assertEqual(head.status, get.status)
                self.assertEqual(int(get.headers["content-length"]), len(get.body))
                self.assertEqual(head.headers["content-length"], get.headers["content-length"])
                self.assertGreater(len(get.body), 0)

    def test_head_has_no_body(self):
        for path in ("/", "/none", "/v1/lease"):
            sock = BioTls()
            sock.sendall(f"HEAD {path} HTTP/1.1\r\nHost: {GATEWAY_IP}\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while more := sock.recv(65536):
                data += more
            sock.close()
            self.assertTrue(data.endswith(b"\r\n\r\n") and data.count(b"\r\n\r\n") == 1, data)

    def test_continue(self):
        with tls_connect() as s:
            for _ in range(2):
                s.sendall(f"POST /v1/lease HTTP/1.1\r\n{JSON}Expect: 100-continue\r\n"
                          f"Content-Length: {len(self.good)}\r\n\r\n".encode())
                self.assertEqual(s.recv(65536), b"HTTP/1.1 100 Continue\r\n\r\n")
                s.sendall(self.good.encode())
                self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 201 "))

    def test_time_outs(self):
        """408 for half a request, nothing for none; a refused client that stays is shown the door."""
        half = ["GET /none HTT", "GET /none HTTP/1.1\r\nHost: a\r\n",
                "POST /v1/lease HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell",
                "POST /v1/lease HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                "GET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /none HT"]
        before = self.stat("drop_idle")
        socks = [BioTls() for _ in half] + [BioTls()]
        for s, text in zip(socks, half):
            s.sendall(text.encode())
        stays = BioTls()
        stays.sendall(b"GET\r\n\r\n")
        answers = [[x[0] for x in read_answers(s, [])] for s in socks]
        self.assertEqual(answers, [[408], [408], [408], [408], [404, 408], []])
        self.assertEqual(self.stat("drop_idle"), before + 6)
        self.assertEqual([x[0] for x in read_answers(stays, [])], [400])
        self.assertEqual(stays.raw.recv(1), b"")  # its FIN
        for s in [*socks, stays]:
            s.close()

    def test_half_close(self):
        """Who says no more still hears what he asked for (RFC 9293 3.6, RFC 8446 6.1): of the control
        plane, of a file longer than the send queue, of two requests, with his FIN in one segment with
        the end of his handshake."""
        post = f"POST /v1/lease HTTP/1.1\r\n{JSON}Content-Length: {len(self.good)}\r\n\r\n{self.good}".encode()
        for ends in (BioTls.end, lambda s: s.raw.sendall(s.close_notify())):
            for said, want in ((post, [201]), (HEAD, [200]), (post + HEAD + post, [201, 200, 201])):
                with self.subTest(ends=ends, said=said[:20]):
                    raw = slow.connect()
                    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # until its FIN
                    sock = BioTls(raw=raw)
                    sock.sendall(said)
                    ends(sock)
                    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
                    self.assertEqual([x[0] for x in read_answers(sock, [])], want)
                    sock.close()

    def test_an_upload_that_is_refused_hears_why(self):
        """The answer must not be lost to an RST for bytes that nobody reads (RFC 9112 9.6)."""
        for _ in range(20):
            sock = BioTls()
            sock.sendall(b"POST /v1/lease HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n")
            try:
                for _ in range(40):
                    sock.sendall(b"x" * 10000)
                    time.sleep(0.001)
            except OSError as e:
                self.fail(f"cut off: {e}")
            self.assertEqual([x[0] for x in read_answers(sock, [])], [413])
            sock.close()


if __name__ == "__main__":
    main()
