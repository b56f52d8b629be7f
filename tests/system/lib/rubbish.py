# SPDX-License-Identifier: BSD-3-Clause
"""A server that is none: speaks TLS, WebSocket and SIP on loopback until it is to say something else."""

import base64
import hashlib
import re
import socket
import ssl
import struct
import threading

from wic import GUID

OK = ("SIP/2.0 200 OK\r\nVia: SIP/2.0/WSS x\r\nCall-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n"
      "Contact: <sip:a@b>;expires=600\r\nContent-Length: 0\r\n\r\n")


def frame(payload, first=0x81):
    n = len(payload)
    return bytes([first]) + (bytes([n]) if n < 126 else b"\x7e" + struct.pack(">H", n)) + payload


class Rubbish:
    """fault(n): what the n-th request gets, over all connections. None: a good answer; text: a message; bytes: these,
    and the end; a function: what it makes of a good answer."""

    def __init__(self, cert, key, fault=lambda n: None, head=None, tls=True, version=None, gone=False):
        self.fault, self.head, self.tls, self.n = fault, head, tls, 0
        self.gone, self.n_upgrades = gone, 0  # every second connection is reset behind the upgrade
        self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ctx.load_cert_chain(cert, key)
        if version:
            self.ctx.maximum_version = version
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.target = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def accept(self):
        while True:
            try:
                raw, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        try:
            if not self.tls:
                raw.recv(4096)
                raw.sendall(b"220 mail.example.net ESMTP\r\n")
            else:
                self.talk(self.ctx.wrap_socket(raw, server_side=True))
        except OSError:
            pass
        raw.close()

    def talk(self, s):
        request = s.recv(65536).decode()
        key = re.search(r"Sec-WebSocket-Key: (\S+)", request)[1]
        accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
        s.sendall((self.head or "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
                  .format(accept=accept).encode())
        self.n_upgrades += 1
        if self.gone and self.n_upgrades % 2 == 0:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
            return
        while data := s.recv(65536):
            if data[0] & 15 == 8:
                return
            if data[0] & 15 != 1:
                continue
            n, at = (data[1] & 127, 2) if data[1] & 127 < 126 else (struct.unpack(">H", data[2:4])[0], 4)
            mask = data[at:at + 4]
            text = bytes(b ^ mask[i & 3] for i, b in enumerate(data[at + 4:at + 4 + n])).decode()
            self.n += 1
            good = {"call_id": re.search(r"Call-ID: (\S+)", text)[1], "cseq": re.search(r"CSeq: (\d+)", text)[1]}
            bad = self.fault(self.n)
            answer = OK.format(**good).encode()
            if bad is None:
                s.sendall(frame(answer))
            elif callable(bad):
                s.sendall(bad(answer))
            elif isinstance(bad, bytes):
                s.sendall(bad)
                s.unwrap()
                return
            else:
                s.sendall(frame(bad.format(**good).encode()))
