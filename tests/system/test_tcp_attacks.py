# SPDX-License-Identifier: BSD-3-Clause
"""Segments that no honest stack sends, from strangers and in the name of clients: they are counted for
what they are, and whoever is connected does not notice."""

import os
import random
import ssl
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from herd import dropped_by_port  # noqa: E402
from lab import CLIENT_IP, GATEWAY_IP, TAP, wait_for  # noqa: E402
from raw import ACK, FIN, PSH, RST, SYN, Peer, Wire, icmp, ip4, tcp  # noqa: E402
from slow import BIG, HEAD, client_hello  # noqa: E402
from wic import Sip, Ws, http, lease, tls_context  # noqa: E402

STRANGER = "10.77.0.200"


class Attacks(GatewayCase):
    lab_args = {"conf": {"registration": {"rate": 100, "rate_burst": 100},
                         "dataplane": {"head_timeout": "5s", "idle_timeout": "5s"}}}

    def setUp(self):
        random.seed(1)
        self.wire = Wire()
        self.victim = Sip(Ws(timeout=20), lease())
        self.assertEqual(self.victim.register().status, 200)
        self.before = self.stats()
        self.lost = dropped_by_port(TAP)

    def tearDown(self):
        """However it was attacked: it is there and is served, and so is the next one."""
        self.assertEqual(self.victim.register().status, 200)
        with Ws() as ws:
            self.assertEqual(Sip(ws, lease(account="alice", password="correct horse")).register().status, 200)
        self.victim.ws.sock.close()
        self.wire.close()
        wait_for("all slots and buffers back", lambda: self.stat("now_tcp_slots") == 0 and
                 self.stat("now_tcp_buffers") == 0, 150)

    def stats(self):
        return {name: sum(per_worker) for name, per_worker in self.lab.counters().items()}

    def counted(self, name, n):
        """It has grown by exactly n, less what did not fit the port's queue."""
        lost = dropped_by_port(TAP) - self.lost
        wait_for(f"{name} + {n}", lambda: self.stat(name) >= self.before[name] + n - lost)
        self.assertLessEqual(self.stat(name) - self.before[name], n)

    def where(self):
        """The victim's port, its next sequence number and the gateway's, as on the wire."""
        port = self.victim.ws.sock.getsockname()[1]
        self.assertEqual(self.victim.register().status, 200)
        seg = None
        while (s := self.wire.next(lambda s: s.src == CLIENT_IP and s.sport == port, 0.5)) is not None:
            seg = s
        return port, seg.seq + len(seg.data), seg.ack

    def forge(self, port, flags, seq, ack=0, **kw):
        """A segment in the victim's name."""
        self.wire.send(ip4(CLIENT_IP, 6, tcp(CLIENT_IP, port, flags, seq, ack, **kw)))

    def test_resets_at_random(self):
        port, seq, _ = self.where()
        self.before = self.stats()
        n = 3000
        for _ in range(n):  # any number but the one, and but those in the window
            self.forge(port, RST, seq + random.randrange(70000, 2 ** 32 - 1))
        self.counted("drop_tcp_window", n)
        self.assertEqual(self.stat("drop_tcp_reset"), self.before["drop_tcp_reset"])

    def test_resets_and_syns_in_the_window(self):
        """RFC 5961: they are asked about, no more than ten times a second, and not believed."""
        port, seq, ack = self.where()
        self.before = self.stats()
        for flags in (RST, SYN):
            self.forge(port, flags, seq + 1000)
            asked = self.wire.next(lambda s: s.sport == 443 and s.dport == port)
            self.assertEqual((asked.flags, asked.seq, asked.ack), (ACK, ack, seq))
        self.before = self.stats()
        n = 300
        for i in range(1, n + 1):
            self.forge(port, RST, seq + i)
            self.forge(port, SYN, seq + i)
            self.forge(port, SYN | ACK, seq, ack)
        self.counted("drop_tcp_window", 3 * n)
        self.assertLess(self.stat("tcp_segs_out") - self.before["tcp_segs_out"], n)
        self.assertEqual(self.stat("drop_tcp_reset"), self.before["drop_tcp_reset"])

    def test_data_and_acks_out_of_the_window(self):
        port, seq, ack = self.where()
        self.before = self.stats()
        n = 500
        for i in range(n):
            self.forge(port, PSH | ACK, seq + 100000 + i * 1000, ack, data=b"x" * 500)
            self.forge(port, ACK, seq, ack + 100000 + i)  # of what was never sent
        self.counted("drop_tcp_window", 2 * n)
        self.assertLess(self.stat("tcp_segs_out") - self.before["tcp_segs_out"], n)

    def test_flags_that_make_no_sense(self):
        n = 100
        for i in range(n):
            for flags in (0, SYN | FIN, SYN | RST, FIN, SYN | FIN | RST | PSH | ACK, RST):
                self.wire.send(ip4(STRANGER, 6, tcp(STRANGER, 30000 + i, flags, 1, 1)))
        self.counted("drop_tcp_bad", 2 * n)
        self.counted("drop_tcp_no_conn", 4 * n)
        self.assertLessEqual(self.stat("now_conns"), self.before["now_conns"])

    def test_acks_of_no_handshake(self):
        n = 1000
        for i in range(n):
            self.wire.send(ip4(STRANGER, 6, tcp(STRANGER, 30000 + i, ACK, i, random.getrandbits(32))))
        self.counted("drop_tcp_cookie", n)
        self.assertLessEqual(self.stat("now_conns"), self.before["now_conns"])

    def test_headers_that_lie(self):
        n = 50
        good = tcp(STRANGER, 30000, SYN, 1)
        for _ in range(n):
            self.wire.send(ip4(STRANGER, 6, good[:12] + b"\x40" + good[13:]))  # offset 16; so the sum is wrong
            self.wire.send(ip4(STRANGER, 6, tcp(STRANGER, 30000, SYN, 1, opts=b"\2\0\0\0")))
            self.wire.send(ip4(STRANGER, 6, good[:10]))
            self.wire.send(ip4(GATEWAY_IP, 6, tcp(GATEWAY_IP, 443, SYN, 1)))  # to itself
            self.wire.send(ip4(STRANGER, 6, tcp(STRANGER, 30000, SYN, 1, dport=444), ))
        self.counted("drop_tcp_checksum", 2 * n)
        self.counted("drop_tcp_bad", n)
        self.counted("drop_ip_bad", n)
        self.counted("drop_tcp_port", n)

    def test_fragments(self):
        n = 500
        seg = tcp(STRANGER, 30000, SYN, 1, opts=b"\2\4\5\xb4")
        for i in range(n):
            self.wire.send(ip4(STRANGER, 6, seg[:16], frag=0x2000, ident=i))
            self.wire.send(ip4(STRANGER, 6, seg[16:], frag=0x0002, ident=i))
            self.wire.send(ip4(STRANGER, 1, b"x" * 1000, frag=0x2000 | 8000, ident=i))  # past 64 KiB
        self.counted("drop_ip_fragment", 3 * n)

    def test_path_mtu_forged(self):
        """From strangers, about connections that are, that are not, and about nothing."""
        port, seq, ack = self.where()
        self.before = self.stats()
        n = 200

        def too_big(mtu, quote):
            self.wire.send(ip4(STRANGER, 1, icmp(3, 4, struct.pack("!HH", 0, mtu), quote)))

        def quote(sport, seq, src=GATEWAY_IP):
            return ip4(src, 6, struct.pack("!HHI", 443, sport, seq & 0xffffffff), dst=CLIENT_IP)

        for i in range(n):
            too_big(68, quote(port, ack - 1))
            too_big(0, quote(port, ack + 1000 * i))
            too_big(65535, quote(port, ack - 1))
            too_big(576, quote(i + 1, ack))
            too_big(576, quote(port, ack, src="10.77.0.3"))
            too_big(576, quote(port, ack)[:24])
        self.counted("icmp_errors", 4 * n)
        self.counted("drop_icmp_quote", 2 * n)
        self.assertEqual(http("GET", BIG).status, 200)

    def tls_over(self, peer, write):
        """A TLS client on a Peer: through with its handshake, `write` sent. Its records come in any size."""
        inc, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = tls_context().wrap_bio(inc, out)
        done = False
        while not done:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            data = out.read()
            for i in range(0, len(data), 1000):
                peer.say(data[i:i + 1000])
            if not done:
                self.assertGreater(peer.take(), 0)
                inc.write(peer.got[max(peer.got, key=lambda s: (s - peer.start) & 0xffffffff)])
        tls.write(write)
        peer.say(out.read())

    def test_tiny_mss(self):
        """64 bytes are the least that we send: a file then is 25 times as many packets, not 1 500."""
        for mss, least in ((1, 64), (63, 64), (0, 536)):  # 0 says nothing, and 536 goes for that
            with self.subTest(mss):
                peer = Peer(self.wire, STRANGER, mss)
                self.tls_over(peer, HEAD)
                sizes = [peer.take() for _ in range(50)]
                self.assertGreater(sizes.count(least), 45 if least == 64 else 20)
                peer.segment(RST | ACK)

    def test_sack_bombs(self):
        """Acknowledgements that make the list of what arrived as long and odd as can be."""
        peer = Peer(self.wire, STRANGER)
        self.tls_over(peer, HEAD)
        sent = 0
        while (s := peer.hear(0.5)) is not None and sent < 12000:
            sent = max(sent, (s.seq + len(s.data) - peer.ack) & 0xffffffff)
        self.assertGreater(sent, 8000)
        for _ in range(3000):
            blocks = b""
            for _ in range(4):
                at = peer.ack + random.randrange(sent)
                blocks += struct.pack("!II", at & 0xffffffff, (at + random.choice((1, 2, 50, -5, 2 ** 31)))
                                      & 0xffffffff)
            peer.segment(ACK, opts=b"\1\1\5\x22" + blocks)
        self.assertEqual(self.victim.register().status, 200)
        peer.segment(RST | ACK)

    def test_overlaps(self):
        """However its pieces overlap and in whatever order they come, a ClientHello is one."""
        hello = client_hello()
        peer = Peer(self.wire, STRANGER)
        cuts = [(random.randrange(len(hello)), random.randrange(1, 60)) for _ in range(40)]
        cuts += [(i, 50) for i in range(0, len(hello), 25)]
        random.shuffle(cuts)
        for at, n in cuts:
            peer.segment(ACK, hello[at:at + n], seq=peer.seq + at)
        peer.seq += len(hello)
        while peer.take() and len(b"".join(peer.got.values())) < 100:
            pass
        first = peer.got[peer.start]
        self.assertEqual((first[0], first[5]), (22, 2))  # a handshake record, ServerHello
        peer.segment(RST | ACK)

    def test_holes_without_end(self):
        """What waits for a hole to be filled is bounded, for one and for all of them."""
        peers = [Peer(self.wire, f"10.77.0.{100 + i}") for i in range(40)]
        for n in range(100):
            for peer in peers:
                peer.segment(ACK, b"x", seq=peer.seq + 10 + 3000 * (n % 20) + n)
        self.assertEqual(self.victim.register().status, 200)
        self.assertGreater(self.stat("drop_tcp_no_buffer"), self.before["drop_tcp_no_buffer"])
        for peer in peers:
            peer.segment(RST | ACK)


class Silence(GatewayCase):
    lab_args = {"conf": {"dataplane": {"tcp_keepalive": "1s"}}}

    def test_is_asked_about(self):
        """An old number again and nothing else (RFC 9293 3.8.4); who answers is left alone for as long."""
        wire = Wire()
        peer = Peer(wire, STRANGER)
        for _ in range(3):
            probe = peer.hear()
            self.assertIsNotNone(probe)
            self.assertEqual((probe.flags, probe.seq, probe.data), (ACK, peer.start - 1 & 0xffffffff, b""))
            peer.segment(ACK)
        peer.segment(RST | ACK)
        wire.close()


if __name__ == "__main__":
    main()
