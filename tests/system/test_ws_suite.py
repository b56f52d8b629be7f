# SPDX-License-Identifier: BSD-3-Clause
"""The WebSocket cases of tests/data/ws/cases.txt over TLS against the echo of regated-test."""

import collections
import os
import re
import select
import socket
import ssl
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import GATEWAY_IP, ROOT, wait_for  # noqa: E402
from wic import CLOSE, Ws, tls_context  # noqa: E402

OPCODES = {"cont": 0, "text": 1, "bin": 2, "close": 8, "ping": 9, "pong": 10}
TOKEN = re.compile(r"(want|quiet|fail)(?: |$)|(\w+)(-?)(?:/(\d))?(?:~(\d+))?=((?:'[^']*'|[^ '])*)(?: |$)")
PART = re.compile(r"(?:(\d+)\*)?(?:'([^']*)'|([0-9a-f]*))(?:\+|$)")
QUIET_S = 0.05  # how long nothing must come
N_CASES, N_STRICT = 301, 298


def payload(text):
    out = b""
    for n, words, digits in PART.findall(text):
        part = words.encode() or bytes.fromhex(digits)
        out += (part * (int(n) // len(part) + 1))[:int(n)] if n else part
    return out


def mask(data, key):
    """XOR of a whole frame at once: Python is slow by the byte."""
    n = len(data)
    keys = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")).to_bytes(n, "big")


def frame(op, data, fin=True, rsv=0):
    n = len(data)
    head = bytes([fin << 7 | rsv << 4 | op])
    if n < 126:
        head += bytes([0x80 | n])
    else:
        head += bytes([0x80 | 126]) + struct.pack(">H", n) if n < 65536 else b"\xff" + struct.pack(">Q", n)
    key = os.urandom(4)
    return head + key + mask(data, key)


def fragments(op, data, size):
    parts = [data[i:i + size] for i in range(0, len(data), size)] or [b""]
    return [frame(0 if i else op, p, i == len(parts) - 1) for i, p in enumerate(parts)]


class Peer:
    """A client on the wire: pieces out, frames in."""

    def __init__(self):
        raw = socket.create_connection((GATEWAY_IP, 443), timeout=60)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # An end without close_notify is an error.
        self.sock = tls_context().wrap_socket(raw, suppress_ragged_eofs=False)
        ws = Ws(sock=self.sock, protocol="echo")
        assert ws.status == 101, ws.status
        self.data = bytearray(ws.data)
        self.got = []  # [(opcode, payload)] but close
        self.code = None  # of the close frame that came

    def need(self, n):
        while len(self.data) < n:
            more = self.sock.recv(1 << 20)
            if not more:
                raise EOFError
            self.data += more

    def recv(self):
        """One frame; False after a close frame."""
        self.need(2)
        op, n, at = self.data[0] & 15, self.data[1], 2
        assert self.data[0] & 0xf0 == 0x80 and n < 128, "whole and bare is all that a server sends"
        if n >= 126:
            at = 4 if n == 126 else 10
            self.need(at)
            n = int.from_bytes(self.data[2:at], "big")
        self.need(at + n)
        body = bytes(self.data[at:at + n])
        del self.data[:at + n]
        if op == CLOSE:
            self.code = int.from_bytes(body[:2], "big") if body else 1005
            return False
        self.got.append((op, body))
        return True

    def is_quiet(self):
        return not self.data and not select.select([self.sock], [], [], QUIET_S)[0]

    def is_refused(self):
        """Has it closed already, within the time a slow machine may take?"""
        if not self.data and not select.select([self.sock], [], [], 5)[0]:
            return False
        return not self.recv()

    def until_closed(self, n=None):
        """Reads until a close frame came, or n frames."""
        while self.code is None and (n is None or len(self.got) < n):
            self.recv()

    def is_clean(self):
        """Nothing comes behind the close frame but the end of TLS."""
        try:
            return not self.data and self.sock.recv(1) == b""
        except OSError:
            return False


class Case:
    def __init__(self, line):
        self.id, self.how, self.send, expect, close, *besides = [x.strip() for x in line.split("|")]
        self.besides = besides[0] if besides else ""
        self.closer, code = close.split()
        self.code = int(code)
        self.steps = [m.groups() for m in TOKEN.finditer(self.send)]
        assert sum(m.end() - m.start() for m in TOKEN.finditer(self.send)) == len(self.send), self.id
        self.expect = [] if expect == "-" else [
            (OPCODES[m[2]], payload(m[6])) for m in TOKEN.finditer(self.send if expect == "echo" else expect)]
        self.is_strict = True

    def pieces(self):
        """What to send: [[bytes, ...], "want", [bytes, ...], "quiet", ...]."""
        run = []
        for word, op, open_, rsv, size, text in self.steps:
            if word:
                yield from (run, word)
                run = []
                continue
            number = OPCODES[op] if op in OPCODES else int(op[2:])
            if "^" in text:  # one frame in three pieces
                parts = [payload(x) for x in re.split("[?^]", text)]
                whole, end = frame(number, b"".join(parts)), -len(parts[2])
                start = end - len(parts[1])
                yield from ([whole[:start]], "quiet", [whole[start:end]], "fail", [whole[end:]])
            elif size:
                run += fragments(number, payload(text), int(size))
            else:
                run.append(frame(number, payload(text), not open_, int(rsv or 0)))
        if run:
            yield run

    def write(self, peer, run):
        if self.how != "frame":
            run = [b"".join(run)]
        if self.how.startswith("chop"):
            n = int(self.how.split()[1])
            run = [run[0][i:i + n] for i in range(0, len(run[0]), n)]
        for piece in run:
            peer.sock.sendall(piece)

    def talk(self, peer):
        for piece in self.pieces():
            if piece == "want":
                peer.recv()
            elif piece == "quiet":
                assert peer.is_quiet(), "refused too early"
            elif piece == "fail":
                if peer.is_refused():
                    return
                self.is_strict = False
            else:
                self.write(peer, piece)

    def run(self):
        """OK, NON-STRICT, INFORMATIONAL, or what went wrong."""
        peer = Peer()
        n = 1
        try:
            if self.how.startswith("times"):
                n = int(self.how.split()[1])
                for i in range(n):
                    self.talk(peer)
                    peer.until_closed(i + 1)
            else:
                self.talk(peer)
            if self.closer == "client":
                peer.until_closed(n * len(self.expect))
                peer.sock.sendall(frame(CLOSE, struct.pack(">H", self.code)))
            peer.until_closed()
            return self.judge(peer, n * self.expect)
        except (EOFError, OSError, AssertionError) as e:
            return f"FAILED ({type(e).__name__}: {e}; got {str(peer.got)[:200]})"
        finally:
            peer.sock.close()

    def judge(self, peer, expect):
        if not peer.is_clean():
            return "UNCLEAN"
        if self.besides == "informational":
            return "INFORMATIONAL"
        if peer.code != self.code:
            return f"WRONG CODE ({peer.code})"
        if peer.got == expect:
            return "OK" if self.is_strict else "NON-STRICT"
        if self.besides == "or nothing" and peer.got == []:
            return "NON-STRICT"
        return f"FAILED (got {str(peer.got)[:200]})"


def load():
    with open(os.path.join(ROOT, "tests/data/ws/cases.txt"), encoding="utf-8") as f:
        return [Case(line) for line in f if line.strip() and line[0] != "#"]


class Suite(GatewayCase):
    lab_args = {"conf": {"test": {"echo": "true"}, "dataplane": {"connections": 64}}}

    def test_cases(self):
        cases = load()
        seen = collections.Counter()
        self.assertEqual(len({c.id for c in cases}), N_CASES)
        for case in cases:
            verdict = case.run()
            seen[verdict.split(" (")[0]] += 1
            with self.subTest(case.id):
                self.assertIn(verdict, ("OK", "NON-STRICT", "INFORMATIONAL"))
        n_passed = seen["OK"] + seen["NON-STRICT"] + seen["INFORMATIONAL"]
        print(f"{n_passed} passed, {len(cases) - n_passed} failed; "
              + ", ".join(f"{n} {name}" for name, n in seen.most_common()), file=sys.stderr)
        self.assertGreaterEqual(seen["OK"], N_STRICT)
        wait_for("all buffers back", lambda: self.stat("now_rx_buffers") == 0)


if __name__ == "__main__":
    main()
