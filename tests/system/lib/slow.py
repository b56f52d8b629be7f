# SPDX-License-Identifier: BSD-3-Clause
"""Clients that go so far and no further: each function opens a connection, brings it into its phase and
gives the socket. `source` is the address it comes from."""

import fcntl
import random
import re
import socket
import ssl
import sys
import termios

from lab import FAMILY, GATEWAY_HOST, GATEWAY_IP, IS_IP6, PREFIX, TAP, sh
from wic import PING, Ws, frame, tls_context

BIG = "/jssip.min.js"  # larger than a send queue (128 KiB)
HEAD = f"GET {BIG} HTTP/1.1\r\nHost: {GATEWAY_HOST}\r\n\r\n".encode()


def sources(n):
    """n addresses of ours, each of them a source of its own to the gateway: in IPv6 a /64."""
    made = [f"fd00:77:0:{i:x}::1" if IS_IP6 else f"10.77.0.{10 + i}" for i in range(1, n + 1)]
    for a in [*made, *(map(neighbour, made) if IS_IP6 else [])]:
        sh("ip", "addr", "add", f"{a}/{PREFIX}", "dev", TAP, *(["nodad"] if IS_IP6 else []))
    return made


def neighbour(source):
    """An address that is the same source to the gateway."""
    return re.sub("::1$", "::2", source)


def connect(source=None, rcvbuf=None, timeout=30):
    s = socket.socket(FAMILY)
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    s.settimeout(timeout)
    if source:
        s.setsockopt(socket.SOL_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: the port comes with the peer
        s.bind((source, 0))
    s.connect((GATEWAY_IP, 443))
    return s


def is_taken(s):
    """The gateway has acknowledged all that was sent."""
    return int.from_bytes(fcntl.ioctl(s.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder) == 0


def client_hello():
    out = ssl.MemoryBIO()
    try:
        tls_context().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def tcp_only(source=None):
    return connect(source)


def half_hello(source=None):
    hello = client_hello()
    s = connect(source)
    s.sendall(hello[:random.randrange(1, len(hello))])
    return s


def handshake(source=None):
    return tls_context().wrap_socket(connect(source))


def half_head(source=None):
    s = handshake(source)
    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
    return s


def half_frame(source=None):
    s = Ws(sock=handshake(source)).sock
    s.sendall(frame("x" * 300)[:random.randrange(1, 300)])
    return s


def open_fragments(source=None):
    """One ping is answered between them: no message is ever whole."""
    s = Ws(sock=handshake(source)).sock
    s.sendall(frame("REGISTER ", fin=False) + frame("sip", 0, fin=False) + frame(b"", PING))
    return s


def small_window(source=None, timeout=30):
    """Its receive buffer is a few KiB."""
    return tls_context().wrap_socket(connect(source, 4096, timeout))


def zero_window(source=None):
    """Asks for a file and reads nothing of it."""
    s = small_window(source)
    s.sendall(HEAD)
    return s
