#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A small HSS: answers what ims_icscf and ims_registrar_scscf ask over Diameter Cx (TS 29.228,
29.229), on loopback. Every pair is known unless an option says otherwise; nothing is remembered.

    hss.py --log FILE [--unknown PREFIX] [--broken PREFIX] [--scscf URI]

FILE gets one JSON line per UAR and SAR: command, type (an absent one is the default of TS 29.229),
impi, impu, result. Public identities whose user part begins with PREFIX: unknown to the UAR, or
known there but not to be assigned by a SAR."""

import argparse
import json
import socket
import struct
import threading
from xml.sax.saxutils import escape

ADDRESS = ("127.0.0.1", 3868)
HOST, REALM = b"localhost", b"ims.example.net"
VENDOR_3GPP, APPLICATION_CX = 10415, 16777216

CAPABILITIES, WATCHDOG, DISCONNECT = 257, 280, 282  # RFC 6733
UAR, SAR = 300, 301  # TS 29.229 6.1

# AVP codes of RFC 6733 4.5, and of TS 29.229 6.3 (with a vendor).
USER_NAME, HOST_IP_ADDRESS, AUTH_APPLICATION, VENDOR_APPLICATION = 1, 257, 258, 260
SESSION_ID, ORIGIN_HOST, SUPPORTED_VENDOR, VENDOR_ID, RESULT = 263, 264, 265, 266, 268
PRODUCT_NAME, AUTH_SESSION_STATE, ORIGIN_REALM = 269, 277, 296
EXPERIMENTAL_RESULT, EXPERIMENTAL_CODE = 297, 298
PUBLIC_IDENTITY, SERVER_NAME, USER_DATA, ASSIGNMENT_TYPE = 601, 602, 606, 614
AUTHORIZATION_TYPE, USER_DATA_AVAILABLE = 623, 624

SUCCESS, UNABLE_TO_COMPLY = 2001, 5012  # RFC 6733 7.1
ERROR_USER_UNKNOWN = 5001  # TS 29.229 6.2: in Experimental-Result
NO_STATE_MAINTAINED = 1
FLAG_REQUEST, FLAG_VENDOR, FLAG_MANDATORY = 0x80, 0x80, 0x40


def avp(code, value, vendor=0, mandatory=True):
    data = struct.pack("!I", value) if isinstance(value, int) else value
    flags = (FLAG_VENDOR if vendor else 0) | (FLAG_MANDATORY if mandatory else 0)
    head = struct.pack("!I", vendor) if vendor else b""
    size = 8 + len(head) + len(data)
    return struct.pack("!II", code, flags << 24 | size) + head + data + bytes(-size % 4)


def avps(data):
    """{code: value} of the AVPs in a row."""
    found, at = {}, 0
    while at + 8 <= len(data):
        code, word = struct.unpack_from("!II", data, at)
        size = word & 0xFFFFFF
        skip = 12 if word >> 24 & FLAG_VENDOR else 8
        if size < skip:
            break
        found[code] = data[at + skip:at + size]
        at += size + -size % 4
    return found


def number(asked, code, otherwise=0):
    return struct.unpack("!I", asked[code])[0] if code in asked else otherwise


def subscription(impi, impu):
    """Cx user profile (TS 29.228 E): one public identity, no service."""
    return ("<?xml version='1.0' encoding='UTF-8'?><IMSSubscription>"
            f"<PrivateID>{escape(impi)}</PrivateID><ServiceProfile><PublicIdentity>"
            f"<Identity>{escape(impu)}</Identity></PublicIdentity></ServiceProfile>"
            "</IMSSubscription>").encode()


CX = avp(VENDOR_APPLICATION, avp(VENDOR_ID, VENDOR_3GPP) + avp(AUTH_APPLICATION, APPLICATION_CX))
ORIGIN = avp(ORIGIN_HOST, HOST) + avp(ORIGIN_REALM, REALM)


class Hss:
    def __init__(self, options, log):
        self.options, self.log = options, log

    def answer(self, command, asked):
        """AVPs of the answer, None for a command that is not ours."""
        if command == CAPABILITIES:
            return (avp(RESULT, SUCCESS) + ORIGIN
                    + avp(HOST_IP_ADDRESS, b"\0\1" + socket.inet_aton(ADDRESS[0]))
                    + avp(VENDOR_ID, VENDOR_3GPP) + avp(PRODUCT_NAME, b"hss", mandatory=False)
                    + avp(SUPPORTED_VENDOR, VENDOR_3GPP) + CX)
        if command in (WATCHDOG, DISCONNECT):
            return avp(RESULT, SUCCESS) + ORIGIN
        if command in (UAR, SAR):
            return self.answer_cx(command, asked)
        return None

    def answer_cx(self, command, asked):
        impi, impu = asked[USER_NAME].decode(), asked[PUBLIC_IDENTITY].decode()
        user = impu.partition(":")[2]
        kind = number(asked, AUTHORIZATION_TYPE if command == UAR else ASSIGNMENT_TYPE)
        result, more = SUCCESS, b""
        if self.options.unknown and user.startswith(self.options.unknown):
            result = ERROR_USER_UNKNOWN
        elif command == UAR:
            more = avp(SERVER_NAME, self.options.scscf.encode(), VENDOR_3GPP)
        elif self.options.broken and user.startswith(self.options.broken):
            result = UNABLE_TO_COMPLY
        elif number(asked, USER_DATA_AVAILABLE) == 0:
            more = avp(USER_DATA, subscription(impi, impu), VENDOR_3GPP)
        self.note(command="UAR" if command == UAR else "SAR", type=kind, impi=impi, impu=impu,
                  result=result)
        return (avp(SESSION_ID, asked[SESSION_ID]) + self.result(result) + ORIGIN
                + avp(AUTH_SESSION_STATE, NO_STATE_MAINTAINED) + CX + avp(USER_NAME, impi.encode())
                + more)

    @staticmethod
    def result(code):
        if code != ERROR_USER_UNKNOWN:
            return avp(RESULT, code)
        return avp(EXPERIMENTAL_RESULT, avp(VENDOR_ID, VENDOR_3GPP) + avp(EXPERIMENTAL_CODE, code))

    def note(self, **what):
        self.log.write(json.dumps(what) + "\n")
        self.log.flush()

    def serve(self, peer):
        data = b""
        while more := peer.recv(65536):
            data += more
            while len(data) >= 20 and len(data) >= (size := int.from_bytes(data[1:4], "big")) >= 20:
                message, data = data[:size], data[size:]
                self.receive(peer, message)

    def receive(self, peer, message):
        word, application, hop_by_hop, end_to_end = struct.unpack_from("!IIII", message, 4)
        command = word & 0xFFFFFF
        if not word >> 24 & FLAG_REQUEST:
            return
        body = self.answer(command, avps(message[20:]))
        if body is not None:
            peer.sendall(struct.pack("!IIIII", 1 << 24 | 20 + len(body), command, application,
                                     hop_by_hop, end_to_end) + body)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--log", required=True)
    ap.add_argument("--unknown", metavar="PREFIX")
    ap.add_argument("--broken", metavar="PREFIX")
    ap.add_argument("--scscf", metavar="URI", default="sip:scscf.ims.example.net:6061")
    options = ap.parse_args()
    with open(options.log, "w") as log, socket.create_server(ADDRESS) as listener:
        hss = Hss(options, log)
        while True:
            peer, _ = listener.accept()
            threading.Thread(target=hss.serve, args=(peer,), daemon=True).start()


if __name__ == "__main__":
    main()
