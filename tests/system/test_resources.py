# SPDX-License-Identifier: BSD-3-Clause
"""What clients hold of a worker: all of it comes back however they leave, and nobody holds so much
that the others are not served."""

import ctypes
import os
import random
import re
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from herd import Refreshers  # noqa: E402
from lab import CLIENT_IP, FAMILY, GATEWAY_HOST, GATEWAY_IP, IS_IP6, TAP, libc, sh, wait_for  # noqa: E402
import slow  # noqa: E402
from slow import BIG, HEAD, small_window  # noqa: E402
from wic import CLOSE, PING, BioTls, Closed, Sip, SipAnswer, Ws, frame, http, lease, tls_connect  # noqa: E402

TCP_REPAIR = 19
LEASE = (f"POST /v1/lease HTTP/1.1\r\nHost: {GATEWAY_HOST}\r\nOrigin: https://{GATEWAY_HOST}\r\n"
         "Content-Type: application/json\r\nContent-Length: 47\r\n\r\n"
         '{"account": "alice", "password": "wrong horse"}').encode()


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def lone_syn(raw, i):
    """A SYN of a host that does not exist: its handshake never ends."""
    source, port = re.sub(r"\d+$", str(100 + i % 100), CLIENT_IP), 1024 + i
    src, dst = socket.inet_pton(FAMILY, source), socket.inet_pton(FAMILY, GATEWAY_IP)
    tcp = struct.pack("!HHIIBBHHH", port, 443, random.getrandbits(32), 0, 5 << 4, 2, 65535, 0, 0)
    total = checksum(src + dst + struct.pack("!HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
    if IS_IP6:
        ip = struct.pack("!IHBB16s16s", 6 << 28, len(tcp), 6, 64, src, dst)
    else:
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, src, dst)
    raw.sendto(ip + tcp, (GATEWAY_IP, 0))


class Case(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.account = lease(account="alice", password="correct horse")

    def is_free(self, names=("now_conns", "now_rx_buffers", "now_tcp_buffers")):
        return all(self.stat(name) == 0 for name in names)

    def assert_served(self):
        with Ws() as ws:
            self.assertEqual(Sip(ws, self.account).register().status, 200)


class Churn(Case):
    lab_args = {"conf": {"dataplane": {"workers": 2, "lcores": '"0,1"', "head_timeout": "5s",
                                       "idle_timeout": "5s"}}}

    # Each opens a connection and brings it into its phase.

    def syn_done(self):
        return slow.tcp_only()

    def half_hello(self):
        return slow.half_hello()

    def hello_only(self):
        s = slow.tcp_only()
        s.sendall(slow.client_hello())
        return s

    def handshake(self):
        return slow.handshake()

    def half_head(self):
        return slow.half_head()

    def half_body(self):
        s = tls_connect()
        s.sendall(LEASE[:-5])
        return s

    def at_control_plane(self):
        s = tls_connect()
        s.sendall(LEASE)  # the password takes the control plane a while
        return s

    def pipelined(self):
        s = tls_connect()
        s.sendall(LEASE + HEAD + LEASE[:-5])
        return s

    def file_unread(self):
        return slow.zero_window()

    def web_socket(self):
        self.ws = Ws()
        return self.ws.sock

    def half_frame(self):
        return slow.half_frame()

    def open_fragments(self):
        return slow.open_fragments()

    def registered(self):
        s = self.web_socket()
        assert Sip(self.ws, self.account).register().status == 200
        return s

    def register_at_core(self):
        s = self.web_socket()
        sip = Sip(self.ws, self.account)
        self.ws.send(sip.register_text())
        return s

    def closing(self):
        s = self.web_socket()
        s.sendall(frame(struct.pack("!H", 1000), CLOSE))
        return s

    def closed_by_gateway(self):
        s = self.web_socket()
        s.sendall(frame("no SIP at all"))
        return s

    # Each ends it in another way.

    def fin(self, s):
        s.close()

    def polite(self, s):
        try:
            if isinstance(s, ssl.SSLSocket):
                s.settimeout(0.05)
                s.unwrap()
        except OSError:
            pass
        s.close()

    def rst(self, s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()

    def silent(self, s):
        try:
            s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)  # close() sends nothing now
        except OSError:
            pass
        s.close()

    def none_yet(self, s):
        self.left.append(s)

    def test_all_comes_back(self):
        opens = [self.syn_done, self.half_hello, self.hello_only, self.handshake, self.half_head,
                 self.half_body, self.at_control_plane, self.pipelined, self.file_unread, self.web_socket,
                 self.half_frame, self.open_fragments, self.registered, self.register_at_core, self.closing,
                 self.closed_by_gateway]
        ends = [self.fin, self.polite, self.rst, self.silent, self.none_yet]
        self.left = []
        syns = socket.socket(FAMILY, socket.SOCK_RAW, socket.IPPROTO_RAW)
        todo = [(o, e) for o in opens for e in ends] * 4
        random.Random(1).shuffle(todo)
        for i, (o, e) in enumerate(todo):
            with self.subTest(f"{o.__name__} {e.__name__}"):
                lone_syn(syns, i)
                s = o()
                if i % 3 == 0:
                    time.sleep(0.01)
                e(s)
        self.assertGreater(self.stat("now_conns"), 0)
        self.assertLessEqual(self.stat("now_tcp_slots"), len(todo))  # a lone SYN takes none
        time.sleep(7)  # the gateway's own time-outs, but for WebSockets
        for s in self.left:
            s.close()
        # What met silence is sent again, in vain.
        wait_for("all buffers back", self.is_free, 30)
        wait_for("all slots back", lambda: self.is_free(["now_tcp_slots"]), 120)
        self.assertEqual(self.lab.ctl("conn", "list")["data"]["total"], 0)
        self.assert_served()


class Hogs(Case):
    lab_args = {"conf": {"dataplane": {"connections": 512, "head_timeout": "3s", "idle_timeout": "30s"}}}

    def tearDown(self):
        for s in self.held:
            s.close()
        wait_for("all buffers back", self.is_free, 60)

    def setUp(self):
        self.held = []

    def test_files_that_nobody_reads(self):
        for _ in range(30):
            self.held.append(small_window())
            self.held[-1].sendall(HEAD)
        time.sleep(0.5)
        for _ in range(5):
            self.assert_served()
            self.assertEqual(http("GET", BIG).status, 200)

    def test_pongs_that_nobody_reads(self):
        for _ in range(30):
            s = small_window()
            self.held.append(s)
            s.sendall(f"GET /w2 HTTP/1.1\r\nHost: {GATEWAY_HOST}\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n"
                      f"Origin: https://{GATEWAY_HOST}\r\n\r\n".encode())
            try:
                for _ in range(80):
                    s.sendall(frame(b"x" * 120, PING) * 10)
            except OSError:
                pass
        time.sleep(0.2)
        self.assertLess(self.stat("now_tcp_buffers"), 768)  # of 1024
        self.assert_served()

    def test_records_that_never_end(self):
        """A buffer for a TLS record under way is no different."""
        tls = BioTls(timeout=30)
        self.held.append(tls)
        with Ws(sock=tls) as ws:
            tls.raw.sendall(tls.seal(frame("\r\n\r\n"))[:-1])
            with self.assertRaises(Closed) as e:
                ws.recv()
            self.assertEqual(e.exception.code, 1008)

    def test_requests_that_never_end(self):
        """Buffers for long requests are few: who comes late is told so, and all come back."""
        long = (f"POST /v1/lease HTTP/1.1\r\nHost: {GATEWAY_HOST}\r\nX: {'x' * 3000}\r\n"
                f"Content-Length: 8000\r\n\r\n{'x' * 7999}").encode()
        before = self.stat("drop_no_rx_buffer")
        for _ in range(16):
            self.held.append(tls_connect())
            self.held[-1].sendall(long[:4000])  # into a short one first
        wait_for("short ones in use", lambda: self.stat("now_rx_buffers") == 16)
        for s in self.held:
            s.sendall(long[4000:])
        wait_for("all of it there", lambda: all(map(slow.is_taken, self.held)))
        wait_for("all of them in use", lambda: self.stat("now_rx_buffers") == 16)
        late = tls_connect()
        self.held.append(late)
        late.sendall(long)
        answer = late.recv(65536)
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
        self.assertIn(b"\r\nRetry-After: ", answer)
        self.assertEqual(self.stat("drop_no_rx_buffer"), before + 1)
        self.assert_served()  # short messages have buffers of their own
        with tls_connect() as half:
            half.sendall(LEASE[:-1])
            wait_for("a short one", lambda: self.stat("now_rx_buffers") == 17)
            half.sendall(LEASE[-1:])
            self.assertTrue(half.recv(65536).startswith(b"HTTP/1.1 401 "))
        wait_for("all buffers back", lambda: self.stat("now_rx_buffers") == 0, 10)
        self.assertEqual(http("POST", "/v1/lease", b"x" * 8000, {"X": "x" * 3000}).status, 400)

    def test_long_bodies_behind_another_request(self):
        """What waits its turn cannot be judged: it gets no long buffer."""
        behind = (f"POST /v1/lease HTTP/1.1\r\nHost: {GATEWAY_HOST}\r\nContent-Length: 60000\r\n\r\n{'x' * 14000}").encode()
        before = self.stat("drop_http_too_big")
        for _ in range(16):
            self.held.append(small_window())
            self.held[-1].sendall(HEAD + behind)
        wait_for("all of them gone", lambda: self.stat("drop_http_too_big") == before + 16, 10)
        self.assertEqual(http("POST", "/v1/lease", b"x" * 8000, {"X": "x" * 3000}).status, 400)

    def test_long_bodies_where_none_is_taken(self):
        """Whoever posts one to what takes none is told so before it gets a long buffer."""
        before = self.stat("drop_no_rx_buffer")
        for request, status in (("POST /none", 404), ("POST /v1/none", 404), (f"PUT {BIG}", 405),
                                ("DELETE /v1/lease", 413)):
            for framing, body in (("Content-Length: 60000\r\n\r\n", "x" * 20000),
                                  ("Transfer-Encoding: chunked\r\n\r\n", "8000\r\n" + "x" * 20000)):
                with self.subTest(request, framing=framing):
                    for _ in range(20):
                        s = tls_connect()
                        self.held.append(s)
                        s.sendall(f"{request} HTTP/1.1\r\nHost: {GATEWAY_HOST}\r\n{framing}{body}".encode())
                    for s in self.held[-20:]:
                        answer = s.recv(65536)
                        self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), answer)
                        self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertEqual(self.stat("drop_no_rx_buffer"), before)

    def test_records_of_the_refused(self):
        """Whoever was refused is not read any more: it holds no part of a record, of which a source has 128."""
        self.held += [BioTls() for _ in range(160)]
        for s in self.held:
            s.raw.sendall(s.seal(b"GET\r\n\r\n") + s.seal(b"x" * 1000)[:-1])
        for s in self.held:
            self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 400 "))
        # They are there still, and nobody else of their source is refused for them.
        late = BioTls()
        self.held.append(late)
        text = late.seal(f"GET /none HTTP/1.1\r\nHost: {GATEWAY_HOST}\r\n\r\n".encode())
        late.raw.sendall(text[:50])
        wait_for("half a record", lambda: slow.is_taken(late.raw))
        late.raw.sendall(text[50:])
        self.assertTrue(late.recv(65536).startswith(b"HTTP/1.1 404 "))

    def test_messages_that_never_end(self):
        """A message buffer is for a message under way, not for keeps."""
        half = [Ws(timeout=1) for _ in range(64)]
        self.held += [ws.sock for ws in half]
        for ws in half:
            ws.raw(frame("x" * 1000)[:-1])
        with Ws() as ws, Ws() as busy:
            # One that only takes its time is not disturbed.
            sip = Sip(ws, self.account)
            text = frame(sip.register_text())

            def are_back():
                busy.raw(frame("\r\n\r\n"))
                time.sleep(0.2)
                return self.stat("now_rx_buffers") == 0

            wait_for("all buffers back", are_back)
            ws.raw(text[:100])
            time.sleep(1)
            ws.raw(text[100:])
            self.assertEqual(int(ws.recv().split()[1]), 200)


class Pools(Case):
    """Each pool used up by somebody who lets it lie: the next one is refused and counted, those who were
    there before lose nothing, and all of it comes back."""
    lab_args = {"conf": {"registration": {"rate": 100, "rate_burst": 100}, "tls": {"max_half_open": 200},
                         "dataplane": {"connections": 2048, "head_timeout": "120s", "idle_timeout": "120s"}}}

    def setUp(self):
        self.good = Refreshers(5, 0.05)
        self.held = []
        self.before = {name: self.stat(name) for name in (
            "drop_tls_no_memory", "drop_tls_half_open", "drop_tls_source", "drop_tls_partial",
            "drop_tcp_no_buffer")}

    def tearDown(self):
        seen = self.good.good
        wait_for("refreshes", lambda: self.good.good > seen + 5 or self.good.errors)
        self.good.stop()
        for s in self.held:
            s.close()
        self.good.close()
        wait_for("all buffers back", self.is_free, 60)
        wait_for("all slots back", lambda: self.is_free(["now_tcp_slots"]), 120)
        self.assertEqual(self.good.errors, [])
        self.assertEqual(self.good.good, self.good.tries)
        self.assert_served()

    def grown(self, name):
        return self.stat(name) - self.before[name]

    def test_half_open(self):
        """Half a ClientHello each; who only connected holds none."""
        self.held += [slow.tcp_only() for _ in range(100)]
        self.held += [slow.half_hello() for _ in range(200)]
        self.assertEqual(self.grown("drop_tls_half_open"), 0)
        for n in range(1, 4):
            with slow.half_hello() as s, self.assertRaises(ConnectionResetError):
                s.recv(1)
            self.assertEqual(self.grown("drop_tls_half_open"), n)
        self.held.pop().close()
        wait_for("its place", lambda: self.stat("now_conns") < 300 + 5)
        self.assert_served()

    def half_record(self, source=None):
        tls = BioTls(raw=slow.connect(source))
        self.held.append(tls)
        tls.raw.sendall(tls.seal(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")[:-1])
        return tls

    def read_all(self, tls):
        n = 0
        while more := tls.raw.recv(4096):
            n += len(more)
        return n

    def test_partial_records(self):
        """Each source has an eighth of what there is for all."""
        *sources, last = slow.sources(9)
        for n, source in enumerate(sources, 1):
            for _ in range(64):
                self.half_record(source)
                self.half_record(slow.neighbour(source))
            with self.assertRaises(ConnectionResetError):
                self.read_all(self.half_record(source))
            self.assertEqual(self.grown("drop_tls_partial"), n)
        self.assertEqual(self.grown("drop_tls_no_memory"), 0)
        for n in range(1, 4):
            with self.assertRaises(ConnectionResetError):
                self.read_all(self.half_record(last))
            self.assertEqual(self.grown("drop_tls_no_memory"), n)
        self.assert_served()  # whose records come whole
        for s in self.held[:10]:
            s.close()
        wait_for("their places", lambda: self.stat("now_conns") <= 1014 + 5)
        s = self.half_record()
        s.raw.sendall(b"x")  # its last byte, bent: an alert, and the end
        self.assertGreater(self.read_all(s), 20)

    def test_tcp_buffers(self):
        """Half of them are for the first answer of each connection: handshakes and refreshes go on."""
        for _ in range(1500):
            self.held.append(slow.zero_window())
        wait_for("use of the buffers", lambda: self.stat("now_tcp_buffers") >= 2000)  # of 4096, half reserved
        self.assertEqual(self.grown("drop_tcp_no_buffer"), 0)
        self.assert_served()


class Full(Case):
    lab_args = {"conf": {"dataplane": {"connections": 64, "head_timeout": "3s"}}}

    def refused(self):
        """The SYN gets its cookie, whatever the table holds; the third packet gets an RST."""
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            with socket.create_connection((GATEWAY_IP, 443), 5) as s:
                s.sendall(b"\x16")
                s.recv(1)

    def wait_room(self):
        wait_for("room", lambda: self.stat("now_conns") < 64 and self.stat("now_tcp_slots") < 64)

    def test_table_full(self):
        held = [Ws() for _ in range(64)]
        self.refused()
        self.assertGreater(self.stat("drop_tcp_table_full"), 0)
        for ws in held:  # those inside are served
            ws.send("\r\n\r\n")
        for ws in held:
            self.assertEqual(ws.recv(), "\r\n")
        # One goes in each of the ways that leave a slot: ours first (TIME-WAIT), theirs first, RST.
        held[0].send(struct.pack("!H", 1000), CLOSE)
        self.assertEqual(held[0].recv_frame()[0], CLOSE)
        held[0].sock.close()
        self.wait_room()
        held[0] = Ws()
        self.refused()
        held[1].sock.close()
        self.wait_room()
        held[1] = Ws()
        held[2].sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        held[2].sock.close()
        self.wait_room()
        held[2] = Ws()
        self.refused()
        for ws in held:
            ws.sock.close()
        wait_for("all buffers back", self.is_free)
        self.assert_served()

    def test_more_ends_than_time_wait_records(self):
        """Each ended by the gateway first; there are 64 records, and the oldest makes room."""
        for _ in range(300):
            self.assertEqual(http("GET", "/icon.svg", headers={"Connection": "close"}).status, 200)
        wait_for("all slots back", lambda: self.is_free(["now_tcp_slots"]))
        self.assert_served()

    def test_silent_connections_make_room(self):
        held = [socket.create_connection((GATEWAY_IP, 443), 2) for _ in range(64)]
        self.refused()

        def is_served():
            try:
                self.assert_served()
            except ConnectionError:
                return False
            return True

        wait_for("room", is_served)
        for s in held:
            s.close()


class Stalled:
    """Holds one thread of a process, while the others run."""

    def __init__(self, tid):
        self.tid = tid

    def ptrace(self, what):
        if libc.ptrace(what, self.tid, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace {what}")

    def __enter__(self):
        self.ptrace(0x4206)  # PTRACE_SEIZE
        self.ptrace(0x4207)  # PTRACE_INTERRUPT
        os.waitpid(self.tid, 0x40000000)  # __WALL

    def __exit__(self, *exc):
        self.ptrace(17)  # PTRACE_DETACH


class ControlStalled(Case):
    users = [f"user{i}" for i in range(6)]
    lab_args = {"accounts": users, "conf": {
        "registration": {"rate": 1000, "rate_burst": 1000, "flow_grace": "1s"},
        "dataplane": {"connections": 512}}}

    def active(self):
        leases = self.lab.ctl("lease", "list")["data"]["leases"]
        return [x["sub"] for x in leases if x["state"] == "active"]

    def test_punt_ring_full(self):
        n = 300  # of each flow; the ring holds about 600 of all
        leaving = [Sip(Ws(), lease(account=user, password="correct horse")) for user in self.users]
        floods = [Sip(Ws(), {"impu": "sip:x@y", "token": f"a.b.{i}"}) for i in range(4)]
        small, unanswered = Sip(Ws(), {"impu": "sip:x@y", "token": "a.b.c"}), []
        with Ws() as kept:
            alice = Sip(kept, self.account)
            for sip in (alice, *leaving):
                self.assertEqual(sip.register().status, 200)
            with Stalled(self.lab.regated.pid):
                for sip in floods:
                    text = sip.register_text(extra="X: " + "x" * 6000 + "\r\n")
                    for _ in range(n):
                        sip.ws.send(text)
                for _ in range(20):
                    small.ws.send(small.register_text())
                # Whoever is registered does not notice; all else is told to come back.
                for sip in (floods[-1], small):
                    answer = SipAnswer(sip.ws.recv())
                    self.assertEqual(answer.status, 503, answer.text)
                    self.assertIsNotNone(answer.one("Retry-After"))
                self.assertEqual(alice.register().status, 200)
                while True:
                    unanswered.append(tls_connect(timeout=0.3))
                    try:
                        answer = http("POST", "/v1/lease", {"anonymous": True}, sock=unanswered[-1])
                    except TimeoutError:
                        continue
                    self.assertEqual(answer.status, 503)
                    break
                for sip in leaving:  # more of them than the ring has room for
                    sip.ws.sock.close()
                time.sleep(0.2)
            for sip in floods:
                for _ in range(n - (sip is floods[-1])):
                    self.assertIn(SipAnswer(sip.ws.recv()).status, (401, 503))
                sip.ws.sock.close()
            self.assertEqual(alice.register().status, 200)
            # Every one of them has come through: the grace of its flow ends.
            wait_for("end of the flows that left", lambda: self.active() == ["alice"])
        small.ws.sock.close()
        for s in unanswered:
            s.close()
        self.assert_served()
        wait_for("all buffers back", self.is_free)


class SynFlood(Case):
    def test_syns_of_nobody(self):
        """More half-open connections than there is room for, all the time; clients still get through."""
        with socket.socket(FAMILY, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            for i in range(3000):
                lone_syn(raw, i)
                if i % 500 == 499:
                    with Ws(timeout=2) as ws:
                        self.assertEqual(Sip(ws, self.account).register().status, 200)


class Timers(Case):
    lab_args = {"conf": {"dataplane": {"ping": "1s", "pong_misses": 2}}}

    def wait_for_end(self, ws):
        with self.assertRaises(Closed):
            while True:
                ws.recv_frame()  # answers nothing

    def test_pings_unanswered(self):
        before = self.stat("drop_pong")
        with Ws() as ws:
            self.wait_for_end(ws)
        self.assertEqual(self.stat("drop_pong"), before + 1)

    def test_close_unanswered(self):
        before = self.stat("drop_idle")
        with Ws() as ws:
            ws.send("no SIP at all")
            self.wait_for_end(ws)
        self.assertEqual(self.stat("drop_idle"), before + 1)


class Unregistered(Case):
    lab_args = {"conf": {"dataplane": {"unbound_timeout": "3s"}}}

    def test_never_registered(self):
        """A WebSocket without a registration must not hold its slot for ever."""
        with Ws() as idle, Ws() as registered:
            sip = Sip(registered, lease())
            self.assertEqual(sip.register().status, 200)
            with self.assertRaises(Closed) as e:
                idle.recv()
            self.assertEqual(e.exception.code, 1008)
            self.assertEqual(sip.register().status, 200)


class NarrowPath(Case):
    def test_large_packets_vanish(self):
        """A tunnel on the way takes 1300 bytes, and its ICMP does not arrive."""
        sh("nft", "add table netdev narrow; add chain netdev narrow in { type filter hook ingress device "
           f"{TAP} priority 0; }}; add rule netdev narrow in meta length > 1300 drop")
        self.assertEqual(http("GET", BIG).status, 200)


class SlowReader(Case):
    lab_args = {"conf": {"dataplane": {"idle_timeout": "2s"}}}

    def test_file_to_a_slow_reader(self):
        """It takes longer than idle_timeout, but something moves all the time."""
        with small_window() as s:
            s.sendall(HEAD)
            want, got = None, b""
            while want is None or len(got) < want:
                more = s.recv(4096)
                self.assertTrue(more, f"ended after {len(got)} of {want}")
                got += more
                if want is None and b"\r\n\r\n" in got:
                    head = got.split(b"\r\n\r\n")[0]
                    want = len(head) + 4 + int(head.lower().split(b"content-length:")[1].split()[0])
                time.sleep(0.1)
            self.assertEqual(len(got), want)

    def test_pipelined_requests(self):
        """Static and punted ones in one segment are answered in order."""
        small = b"GET /icon.svg HTTP/1.1\r\nHost: x\r\n\r\n"
        lost = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
        api = b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n"
        with tls_connect() as s:
            s.sendall(small + lost + api + small + HEAD + small + api + lost)
            data = b""
            while data.count(b"HTTP/1.1 ") < 8 or not data.endswith(b"\n"):
                more = s.recv(65536)
                self.assertTrue(more)
                data += more
            self.assertEqual([int(x[:3]) for x in data.split(b"HTTP/1.1 ")[1:]],
                             [200, 404, 404, 200, 200, 200, 404, 404])


if __name__ == "__main__":
    main()
