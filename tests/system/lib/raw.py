# SPDX-License-Identifier: BSD-3-Clause
"""TCP by hand over the TAP port: any segment from any address, and what the gateway says to it."""

import random
import socket
import struct
import time

from lab import GATEWAY_IP, TAP

MAC = bytes.fromhex("020000000099")  # of the gateway
OUR_MAC = bytes.fromhex("020000000077")
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def ip4(src, proto, payload, dst=GATEWAY_IP, frag=0x4000, ident=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, frag, 64, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp(src, sport, flags, seq, ack=0, wnd=65535, opts=b"", data=b"", dport=443, dst=GATEWAY_IP):
    opts += b"\1" * (-len(opts) % 4)
    seg = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff,
                      (20 + len(opts)) // 4 << 4, flags, wnd, 0, 0) + opts + data
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!HH", 6, len(seg))
    return seg[:16] + struct.pack("!H", checksum(pseudo + seg)) + seg[18:]


def icmp(kind, code, rest, quote):
    body = struct.pack("!BBH", kind, code, 0) + rest + quote
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


class Segment:
    def __init__(self, frame):
        ip = frame[14:]
        self.src, self.dst = socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20])
        seg = ip[(ip[0] & 15) * 4:struct.unpack("!H", ip[2:4])[0]]
        self.sport, self.dport, self.seq, self.ack, off, self.flags, self.wnd = struct.unpack("!HHIIBBH", seg[:16])
        self.data = seg[(off >> 4) * 4:]


class Wire:
    """The link to the gateway."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.sock.bind((TAP, 0))
        self.n_sent = 0

    def close(self):
        self.sock.close()

    def send(self, packet):
        self.n_sent += 1
        if self.n_sent % 50 == 0:
            time.sleep(0.002)  # the port's queue holds a few hundred
        self.sock.send((MAC + OUR_MAC + b"\x08\0" + packet).ljust(60, b"\0"))

    def next(self, wanted, timeout=5):
        """The next TCP segment, in or out, that wanted() wants; None when none came."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                frame = self.sock.recv(65536)
            except TimeoutError:
                return None
            if frame[12:14] == b"\x08\0" and frame[23] == 6:
                seg = Segment(frame)
                if wanted(seg):
                    return seg
        return None


class Peer:
    """A TCP client that sends what it is told to, and acknowledges nothing by itself."""

    def __init__(self, wire, address, mss=1460, opts=b"\1\1\4\2"):
        self.wire, self.address, self.port = wire, address, random.randrange(20000, 60000)
        self.seq, self.ack = random.getrandbits(32), 0
        self.got = {}  # of the stream, by sequence number
        self.segment(SYN, opts=struct.pack("!BBH", 2, 4, mss) + opts)
        answer = self.hear()
        assert answer is not None and answer.flags == SYN | ACK
        self.seq += 1
        self.ack = self.start = (answer.seq + 1) & 0xffffffff
        self.segment(ACK)

    def segment(self, flags, data=b"", seq=None, ack=None, wnd=65535, opts=b""):
        self.wire.send(ip4(self.address, 6, tcp(
            self.address, self.port, flags, self.seq if seq is None else seq,
            self.ack if ack is None else ack, wnd, opts, data)))

    def hear(self, timeout=5):
        """The gateway's next segment to us."""
        return self.wire.next(lambda s: s.dst == self.address and s.dport == self.port, timeout)

    def say(self, data):
        self.segment(PSH | ACK, data)
        self.seq += len(data)

    def take(self, timeout=5):
        """Acknowledges one segment of data that is next in order; its length, 0 when none came."""
        while (s := self.hear(timeout)) is not None:
            if s.flags & RST:
                raise ConnectionResetError
            if s.data and s.seq == self.ack:
                self.ack = (self.ack + len(s.data)) & 0xffffffff
                self.got[s.seq] = s.data
                self.segment(ACK)
                return len(s.data)
        return 0
