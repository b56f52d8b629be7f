# SPDX-License-Identifier: BSD-3-Clause
"""A WebRTC client by hand: HTTPS lease API, WebSocket frames and SIP text, so that a test can send
exactly the bytes it means, good or bad."""

import base64
import hashlib
import itertools
import json
import os
import re
import socket
import ssl
import struct

from lab import DOMAIN, GATEWAY_HOST, GATEWAY_IP

ORIGIN = f"https://{GATEWAY_HOST}"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
TIMEOUT_S = 10  # of one socket operation; a test may change it
serial = itertools.count(1)


def tls_context():
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE  # the test's own certificate; browsers check it elsewhere
    return ctx


def tls_connect(ctx=None, timeout=None):
    raw = socket.create_connection((GATEWAY_IP, 443), timeout=timeout or TIMEOUT_S)
    return (ctx or tls_context()).wrap_socket(raw, server_hostname=f"epcscf1.{DOMAIN}")


class BioTls:
    """A TLS client whose records the test sees before they leave; else like a socket."""

    def __init__(self, timeout=10, raw=None):
        self.raw = raw or socket.create_connection((GATEWAY_IP, 443), timeout=timeout)
        self.inc, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls_context().wrap_bio(self.inc, self.out, server_hostname=f"epcscf1.{DOMAIN}")
        self._until_done(self.tls.do_handshake)
        self.raw.sendall(self.out.read())

    def _until_done(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                if self.out.pending:
                    self.raw.sendall(self.out.read())
                data = self.raw.recv(65536)
                if not data:
                    return b""
                self.inc.write(data)

    def seal(self, data):
        self.tls.write(data)
        return self.out.read()

    def sendall(self, data):
        self.raw.sendall(self.seal(data))

    def recv(self, n):
        try:
            return self._until_done(lambda: self.tls.read(n))
        except ssl.SSLZeroReturnError:
            return b""

    def close_notify(self):
        """To be sent: we say no more, while answers may still come."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        return self.out.read()

    def end(self):
        """FIN, the same."""
        self.raw.shutdown(socket.SHUT_WR)

    def close(self):
        self.raw.close()


class HttpAnswer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def read_head(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return data, b""
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def parse_head(head):
    lines = head.decode().split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return int(lines[0].split()[1]), headers


def http(method, path, body=None, headers=None, sock=None, origin=ORIGIN):
    own = sock is None
    sock = sock or tls_connect()
    data = b"" if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
    lines = [f"{method} {path} HTTP/1.1", f"Host: {GATEWAY_HOST}"]
    if origin:
        lines.append(f"Origin: {origin}")
    if body is not None:
        lines.append("Content-Type: application/json")
    if data or method == "POST":
        lines.append(f"Content-Length: {len(data)}")
    lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
    sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
    head, rest = read_head(sock)
    if not head:
        sock.close()
        raise ConnectionError("closed before the answer")
    status, got = parse_head(head)
    n = 0 if method == "HEAD" else int(got.get("content-length", 0))
    while len(rest) < n:
        more = sock.recv(65536)
        if not more:
            break
        rest += more
    if own:
        sock.close()
    return HttpAnswer(status, got, rest[:n])


def lease(**what):
    """A lease as the API gives it; anonymous unless an account is named."""
    answer = http("POST", "/v1/lease", what or {"anonymous": True})
    assert answer.status == 201, (answer.status, answer.body)
    return answer.json()


def delete_lease(token):
    return http("DELETE", "/v1/lease", headers={"Authorization": f"Bearer {token}"})


def frame(payload, opcode=TEXT, fin=True, mask=None, rsv=0):
    """One client frame; mask=False sends it unmasked."""
    payload = payload.encode() if isinstance(payload, str) else payload
    key = os.urandom(4) if mask is None else mask
    n = len(payload)
    bit = 0x80 if key else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if n < 126:
        head += bytes([bit | n])
    elif n < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", n)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", n)
    if not key:
        return head + payload
    return head + key + bytes(b ^ key[i & 3] for i, b in enumerate(payload))


class Closed(Exception):
    """The WebSocket or TCP connection ended; code is the close code, None without one."""

    def __init__(self, code=None):
        super().__init__(f"closed, code {code}")
        self.code = code


class Ws:
    def __init__(self, origin=ORIGIN, protocol="sip", path="/w2", version="13", extra=(), timeout=None,
                 sock=None):
        self.sock = sock or tls_connect(timeout=timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {GATEWAY_HOST}", "Upgrade: websocket",
                 "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
                 f"Sec-WebSocket-Version: {version}", *extra]
        if origin is not None:
            lines.append(f"Origin: {origin}")
        if protocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {protocol}")
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        head, self.data = read_head(self.sock)
        self.status, self.headers = parse_head(head) if head else (None, {})
        if self.status == 101:
            want = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
            assert self.headers["sec-websocket-accept"] == want
            assert self.headers["sec-websocket-protocol"] in protocol.split(", ")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def send(self, payload, opcode=TEXT):
        self.sock.sendall(frame(payload, opcode))

    def raw(self, data):
        self.sock.sendall(data)

    def _need(self, n):
        while len(self.data) < n:
            try:
                more = self.sock.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                more = b""
            if not more:
                raise Closed()
            self.data += more

    def recv_frame(self):
        self._need(2)
        opcode, n = self.data[0] & 15, self.data[1]
        assert n < 128, "a server must not mask"
        off = 2
        if n == 126:
            self._need(4)
            n, off = struct.unpack(">H", self.data[2:4])[0], 4
        elif n == 127:
            self._need(10)
            n, off = struct.unpack(">Q", self.data[2:10])[0], 10
        self._need(off + n)
        payload, self.data = self.data[off:off + n], self.data[off + n:]
        return opcode, payload

    def recv(self):
        """Next text message; answers pings on the way."""
        while True:
            opcode, payload = self.recv_frame()
            if opcode == PING:
                self.send(payload, PONG)
            elif opcode == CLOSE:
                raise Closed(struct.unpack(">H", payload[:2])[0] if payload else 1005)
            elif opcode in (TEXT, BINARY):
                return payload.decode()


class SipAnswer:
    def __init__(self, text):
        self.text = text
        self.status = int(text.split(" ", 2)[1])

    def all(self, name):
        return re.findall(rf"^{re.escape(name)}:[ \t]*(.*?)\r$", self.text, re.M | re.I)

    def one(self, name):
        found = self.all(name)
        return found[0] if found else None


class Sip:
    """One SIP client: fixed instance, Call-ID and contact; CSeq counts up."""

    def __init__(self, ws, given, token=True):
        n = next(serial)
        self.ws, self.impu = ws, given["impu"]
        self.token = given["token"] if token is True else token
        self.host = f"h{n}{os.urandom(4).hex()}.invalid"
        self.instance = f"urn:uuid:00000000-0000-4000-8000-{n:012x}"
        self.call_id = os.urandom(8).hex()
        self.cseq = 0

    def register_text(self, expires=300, to=None, from_=None, auth=None, contact=None, extra="",
                      cseq=None, method="REGISTER"):
        self.cseq = self.cseq + 1 if cseq is None else cseq
        to = to or self.impu
        if auth is None and self.token:
            auth = f"Bearer {self.token}"
        contact = contact or (f'<sip:u@{self.host};transport=ws>;reg-id=1;+sip.instance="<{self.instance}>"'
                              f";expires={expires}")
        return (f"{method} sip:{DOMAIN} SIP/2.0\r\n"
                f"Via: SIP/2.0/WSS {self.host};branch=z9hG4bK{next(serial):07d}\r\n"
                "Max-Forwards: 69\r\n"
                f"To: <{to}>\r\nFrom: <{from_ or to}>;tag=t{self.cseq}\r\n"
                f"Call-ID: {self.call_id}\r\nCSeq: {self.cseq} {method}\r\n"
                + (f"Authorization: {auth}\r\n" if auth else "")
                + f"Contact: {contact}\r\nExpires: {expires}\r\n{extra}"
                "Supported: path,gruu,outbound\r\nContent-Length: 0\r\n\r\n")

    def register(self, **kw):
        self.ws.send(self.register_text(**kw))
        return SipAnswer(self.ws.recv())

    def granted(self, answer):
        return int(re.search(r"expires=(\d+)", answer.one("Contact")).group(1))
