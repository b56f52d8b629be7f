# SPDX-License-Identifier: BSD-3-Clause
"""Bytes that no good client sends, at every layer: refused, counted, the connection closed, and the
next client served."""

import os
import re
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import GATEWAY_IP  # noqa: E402
from wic import BINARY, CLOSE, ORIGIN, PING, PONG, TEXT, BioTls, Closed, Sip, SipAnswer, Ws, frame, http, lease, tls_connect  # noqa: E402

TORTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/rfc4475")
TORTURE_ANSWERS = {
    **dict.fromkeys(("baddn", "clerr", "escruri", "insuf", "ltgtruri", "lwsruri", "lwsstart", "mcl01", "mismatch01",
                     "mismatch02", "multi01", "ncl", "regbadct", "scalar02", "trws"), 400),
    "badvers": 505,
    "escnull": 400,  # two Contacts, of which we take one
    **dict.fromkeys(("cparam01", "cparam02", "dblreq", "regaut01", "regescrt", "unksm2"), 401),
    **dict.fromkeys(("bcast", "bigcode", "noreason", "scalarlg", "unreason"), None),  # responses
}


class Malformed(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.account = lease(account="alice", password="correct horse")

    def tearDown(self):
        # Whatever happened, the next client is served.
        with Ws() as ws:
            self.assertEqual(Sip(ws, self.account).register().status, 200)

    def assert_ends(self, sock):
        try:
            while sock.recv(65536):
                pass
        except (ConnectionResetError, ssl.SSLError):
            pass

    def test_tls(self):
        before = self.stat("drop_tls_bad")
        blobs = [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"A" * 300, b"\x80\x2e\x01\x03\x01",
                 b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", os.urandom(600), b"\x17\x03\x03\x00\x01A",
                 b"\x15\x03\x01\x00\x02\x02\x28"]
        for blob in blobs:
            with self.subTest(blob[:8]), socket.create_connection((GATEWAY_IP, 443), 10) as s:
                s.sendall(blob)
                s.shutdown(socket.SHUT_WR)
                self.assert_ends(s)
        self.wait_stat("drop_tls_bad", before + 4)

    def test_tls_1_2_is_refused(self):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        ctx.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            tls_connect(ctx)

    def test_tls_bit_flip_after_the_handshake(self):
        client = BioTls()
        data = bytearray(client.seal(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        data[-1] ^= 1
        before = self.stat("drop_tls_bad")
        client.raw.sendall(data)
        self.assert_ends(client.raw)
        client.close()
        self.wait_stat("drop_tls_bad", before + 1)

    def test_http(self):
        cases = [
            (b"GET / HTTP/1.1\nHost: x\n\n", 400),
            (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
            (b"POST /v1/lease HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
             400),
            (b"POST /v1/lease HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            (b"POST /v1/lease HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
            (b"POST /v1/lease HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            (b"POST /v1/lease HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n", 413),
            (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
            (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
            (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", 400),
            (b"\x00\x01\x02\x03\r\n\r\n", 400),
            (b"GET /w2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             b"Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n"
             b"Origin: " + ORIGIN.encode() + b"\r\n\r\n", 400),
        ]
        for data, status in cases:
            with self.subTest(data[:60]), tls_connect() as s:
                s.sendall(data)
                answer = b""
                try:
                    while more := s.recv(65536):
                        answer += more
                except (ConnectionResetError, ssl.SSLError):
                    pass
                self.assertEqual(int(answer.split()[1]), status)
        self.assertGreaterEqual(self.stat("drop_http_bad"), 10)
        self.assertGreaterEqual(self.stat("drop_http_too_big"), 2)

    def test_http_keep_alive_and_chunked_body_work(self):
        with tls_connect() as s:
            for _ in range(3):
                self.assertEqual(http("GET", "/", sock=s).status, 200)
            self.assertEqual(http("HEAD", "/", sock=s).body, b"")
            s.sendall(b"POST /v1/lease HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                      b"Origin: " + ORIGIN.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"6\r\n{\"anon\r\nd\r\nymous\": true}\r\n0\r\n\r\n")
            self.assertIn(b" 201 ", s.recv(65536).split(b"\r\n")[0] + b" ")

    def closed_with(self, code, *frames, bound=False):
        with Ws() as ws:
            if bound:
                self.assertEqual(Sip(ws, self.account).register().status, 200)
            ws.raw(b"".join(frames))
            with self.assertRaises(Closed) as e:
                while True:
                    ws.recv()
            self.assertEqual(e.exception.code, code)

    def test_websocket(self):
        cases = {
            "unmasked": (1002, frame("x", mask=b"")),
            "reserved bit": (1002, frame("x", rsv=4)),
            "unknown opcode": (1002, frame("x", opcode=3)),
            "continuation of nothing": (1002, frame("x", opcode=0)),
            "long ping": (1002, frame("x" * 126, opcode=PING)),
            "fragmented ping": (1002, frame("x", opcode=PING, fin=False)),
            "new message inside one": (1002, frame("x", fin=False), frame("y")),
            "one byte close": (1002, frame("x", opcode=CLOSE)),
            "bad close code": (1002, frame(b"\x03\xed", opcode=CLOSE)),
            "not UTF-8": (1007, frame(b"\xff\xfe\xfd")),
            "too big": (1009, frame("x" * 9000)),
            "2^63 bytes": (1002, b"\x82\xff" + b"\xff" * 8 + b"abcd"),
            "2^40 bytes": (1009, b"\x82\xff\x00\x00\x01" + b"\x00" * 5 + b"abcd"),
            "17 fragments": (1009, frame("x", fin=False), *[frame("x", opcode=0, fin=False)] * 17),
        }
        for name, (code, *frames) in cases.items():
            with self.subTest(name):
                self.closed_with(code, *frames)
        self.closed_with(1000, frame(b"\x03\xe8bye", opcode=CLOSE))
        self.assertGreaterEqual(self.stat("drop_ws_bad"), 10)
        self.assertGreaterEqual(self.stat("drop_ws_too_big"), 3)

    def test_websocket_fragments_pings_and_binary_are_fine(self):
        with Ws() as ws:
            sip = Sip(ws, self.account)
            text = sip.register_text().encode()
            ws.raw(frame(text[:100], fin=False) + frame(b"hi", PING) + frame(text[100:300], 0, fin=False) +
                   frame(text[300:], 0))
            self.assertEqual(ws.recv_frame(), (10, b"hi"))
            self.assertIn("SIP/2.0 200", ws.recv())
            ws.send(sip.register_text(), BINARY)
            self.assertIn("SIP/2.0 200", ws.recv())
            ws.send("\r\n\r\n")
            self.assertEqual(ws.recv(), "\r\n")

    def test_binary_messages_are_text_all_the_same(self):
        """The head of a SIP message is UTF-8, in whatever frame; its body is not looked at."""
        for name, body, code in ((b"\xc3\xa9", b"", None), (b"", b"\xff\0", None), (b"\xff", b"", 1002),
                                 (b"\xc3", b"\xa9", 1002)):
            with self.subTest(name=name, body=body), Ws() as ws:
                text = Sip(ws, self.account).register_text().encode()
                text = text.replace(b"\r\nTo: ", b'\r\nTo: "' + name + b'" ')
                ws.send(text.replace(b"Length: 0", b"Length: %d" % len(body)) + body, BINARY)
                try:
                    answer = ws.recv()
                    self.assertIsNone(code, answer)
                    self.assertEqual(SipAnswer(answer).status, 200)
                except Closed as e:
                    self.assertEqual(e.code, code)

    def test_byte_by_byte(self):
        with Ws() as ws:
            for b in frame(Sip(ws, self.account).register_text()):
                ws.raw(bytes([b]))
            self.assertIn("SIP/2.0 200", ws.recv())

    def test_sip(self):
        before = self.stat("drop_sip_bad")
        with Ws() as ws:
            good = Sip(ws, self.account).register_text()
        cases = [(1002, "hello"), (1002, "REGISTER\r\n\r\n"),
                 (505, good.replace("SIP/2.0\r\n", "SIP/3.0\r\n", 1)),
                 (400, good.replace("CSeq: 1 REGISTER", "CSeq: 1 INVITE")),
                 (400, good.replace("CSeq: 1", "CSeq: 99999999999")), (400, good.replace("Call-ID:", "Call-ID")),
                 (400, good.replace("Content-Length: 0", "Content-Length: 500")),
                 (400, good.replace("To: <", "To: <\0")), (400, good.replace("Call-ID", "Call-ID: a\r\nCall-ID")),
                 (400, good[:200])]
        for want, text in cases:
            with self.subTest(text[:40]), Ws() as ws:
                ws.send(text)
                try:
                    self.assertEqual(SipAnswer(ws.recv()).status, want)
                    self.assertEqual(Sip(ws, self.account).register().status, 200)  # the connection is still good
                except Closed as e:
                    self.assertEqual(e.code, want)
        self.assertGreaterEqual(self.stat("drop_sip_bad"), before + len(cases))
        with Ws() as ws:
            two = Sip(ws, self.account)
            contact = f"<sip:a@{two.host}>;expires=60, <sip:b@{two.host}>;expires=60"
            self.assertEqual(two.register(contact=contact).status, 400)

    def test_rfc4475(self):
        """Each torture message on a flow of its own that is not registered, and what it gets there: 400 or 505 as
        the RFC says; a good REGISTER 401, having no token of ours; another method 403, as that is not even looked into."""
        files = sorted(os.listdir(TORTURE))
        self.assertEqual(len(files), 49)
        for file in files:
            name = file.removesuffix(".dat")
            with open(os.path.join(TORTURE, file), "rb") as f, self.subTest(name), Ws() as ws:
                ws.send(f.read(), BINARY)
                ws.raw(frame(b"", PING))
                opcode, payload = ws.recv_frame()
                status = SipAnswer(payload.decode()).status if opcode == TEXT else None
                self.assertEqual(opcode, TEXT if status else PONG)
                self.assertEqual(status, TORTURE_ANSWERS.get(name, 403))

    def test_too_many_messages_on_one_flow(self):
        with Ws() as ws:
            sip = Sip(ws, self.account)
            for _ in range(40):
                ws.send(sip.register_text())
            seen = []
            with self.assertRaises(Closed) as e:
                while True:
                    seen.append(int(ws.recv().split()[1]))
            self.assertEqual(e.exception.code, 1008)
            self.assertEqual(seen.count(503), 1)
            self.assertLess(len(seen), 12)

    def test_what_we_do_not_support(self):
        """RFC 3261 10.3 step 2, before the token is looked at; the usual ones are fine."""
        with Ws() as ws:
            sip = Sip(ws, self.account)
            refused = sip.register(extra="Require: path, x-nothing\r\nProxy-Require: y\r\n", auth="Bearer none")
            self.assertEqual((refused.status, refused.one("Unsupported")), (420, "x-nothing, y"))
            self.assertEqual(sip.register(extra="Require: path, outbound\r\n").status, 200)
            self.assertEqual(sip.register(extra="Require: z\r\n").status, 420)
            self.assertEqual(sip.register(extra=f"Require: {'z' * 300}\r\n").status, 400)

    def test_what_is_never_answered(self):
        """Neither good nor bad, and not by the 503 of the rate either (RFC 3261 17)."""
        with Ws() as ws:
            sip = Sip(ws, self.account)
            ack = sip.register_text(method="ACK", auth=False)
            response = re.sub(r"^.*", "SIP/2.0 200 OK\r", ack, count=1)
            for text in (ack, response, ack.replace("CSeq: 1", "CSeq: x"), response.replace("200", "2000")):
                ws.send(text)
            self.assertEqual(sip.register().status, 200)
            for _ in range(40):
                ws.send(response)
            with self.assertRaises(Closed) as e:
                ws.recv()
            self.assertEqual(e.exception.code, 1008)

    def test_silent_connections_are_ended(self):
        # Counted in test_scale for established flows; here the head time-out, 10 s by default.
        with socket.create_connection((GATEWAY_IP, 443), 20) as s, tls_connect() as half:
            half.sendall(b"GET / HT")
            half.settimeout(20)
            self.assert_ends(s)
            self.assert_ends(half)
        self.assertGreaterEqual(self.stat("drop_idle"), 2)

    def test_text_frames_of_every_kind_of_noise(self):
        for n in (1, 20, 100, 400, 2000, 8000):
            with Ws() as ws:
                ws.raw(frame(os.urandom(n), BINARY) + frame(b"x" * n, TEXT))
                self.assert_ends(ws.sock)  # 2 s each: the gateway waits for our close frame


if __name__ == "__main__":
    main()
