# SPDX-License-Identifier: BSD-3-Clause
"""Fifty thousand malformed SIP messages: each is answered or ends its connection, the next client is served,
and nothing is left of them."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from damage import any_bytes, damaged  # noqa: E402
from lab import wait_for  # noqa: E402
from wic import BINARY, CLOSE, PING, PONG, TEXT, Closed, Sip, SipAnswer, Ws, frame, lease  # noqa: E402

N_MALFORMED = 50000
PER_FLOW = 800  # within the burst below
PER_WRITE = 40
NO_MASK = b"\0\0\0\0"


def message_frame(text):
    """In one frame or in two, as text if it is any; masked by zeros, which is quick."""
    try:
        text.decode()
        opcode = TEXT
    except UnicodeDecodeError:
        opcode = BINARY
    if len(text) % 8 != 0:
        return quick_frame(text, opcode)
    half = len(text) // 2
    return quick_frame(text[:half], opcode, fin=False) + quick_frame(text[half:], 0)


def quick_frame(payload, opcode, fin=True):
    """As frame(), whose masking takes longer than the gateway for all of it."""
    head = frame(b"", opcode, fin, NO_MASK)[:1]
    n = len(payload)
    length = bytes([0x80 | n]) if n < 126 else b"\xfe" + n.to_bytes(2, "big")
    return head + length + NO_MASK + payload


class Damage(GatewayCase):
    lab_args = {"conf": {"registration": {"rate": 1000, "rate_burst": 1000}}}

    def answers(self, ws):
        """Of what was sent, up to the pong that says that it was all read; False when the connection ended."""
        while True:
            try:
                opcode, payload = ws.recv_frame()
            except Closed:
                return False
            if opcode == PONG:
                return True
            if opcode == CLOSE:
                self.assertIn(int.from_bytes(payload[:2], "big"), (1002, 1008))
                return False
            self.assertIn(opcode, (TEXT, PING))
            if opcode == TEXT:
                status = SipAnswer(payload.decode()).status
                self.seen[status] = self.seen.get(status, 0) + 1

    def flow(self, rnd):
        """One connection, until it ends or has had its share."""
        with Ws() as ws:
            sip = Sip(ws, self.victim)
            for _ in range(PER_FLOW // PER_WRITE):
                good = sip.register_text().encode()
                out = b"".join(message_frame(damaged(rnd, good)) for _ in range(PER_WRITE))
                if rnd.random() < 0.2:
                    out += message_frame(any_bytes(rnd, good))
                ws.raw(out + frame(b"", PING, mask=NO_MASK))
                if not self.answers(ws):
                    return

    def is_victim_served(self):
        """500 while the core is asked about one of those before, which was not that bad."""
        with Ws() as ws:
            answer = Sip(ws, self.victim).register()
        self.assertIn((answer.status, answer.one("Retry-After")), ((200, None), (500, "1")))
        return answer.status == 200

    def test_fifty_thousand(self):
        self.victim, self.seen = lease(), {}
        account = lease(account="alice", password="correct horse")
        rnd, n_flows = random.Random(4475), 0
        before = self.stat("drop_sip_bad")
        with Ws() as steady:
            good = Sip(steady, account)
            self.assertEqual(good.register().status, 200)
            while self.stat("drop_sip_bad") < before + N_MALFORMED:
                self.flow(rnd)
                n_flows += 1
                self.assertEqual(good.register().status, 200)
                wait_for("the victim's own REGISTER", self.is_victim_served)
        sys.stderr.write(f"{n_flows} flows, answers {self.seen}\n")
        self.assertGreater(self.seen[400], N_MALFORMED * 9 // 10)
        self.assertLessEqual(self.seen.keys(), {200, 400, 401, 403, 405, 500, 505})
        for name in ("conns", "tcp_buffers", "rx_buffers", "tcp_slots", "tcp_waits"):
            wait_for(f"no {name} left", lambda name=name: self.stat(f"now_{name}") == 0, 90)
        self.assertEqual(self.lab.ctl("conn", "list")["data"]["total"], 0)


if __name__ == "__main__":
    main()
