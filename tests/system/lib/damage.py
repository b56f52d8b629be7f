# SPDX-License-Identifier: BSD-3-Clause
"""SIP messages that no client means, made from good ones: from a seed, so that each run sends the same."""

import re

HOT = b"\r\n\t \0\"\\<>()[],;:=@?%*/&-.0129aZ\x7f\xc3\xa9"
COMPACT = {b"Via": b"v", b"To": b"t", b"From": b"f", b"Call-ID": b"i", b"Contact": b"m", b"Supported": b"k",
           b"Content-Length": b"l"}


def lines_of(message):
    return message[:-4].split(b"\r\n")


def joined(lines):
    return b"\r\n".join(lines) + b"\r\n\r\n"


# Each takes the generator of random numbers and a message, and gives another one.

def any_bytes(rnd, m, first=0):
    for _ in range(rnd.randint(1, 4)):
        at, n = rnd.randrange(first, len(m)), rnd.randrange(1, 40)
        m = rnd.choice((m[:at] + bytes([rnd.choice(HOT)]) + m[at + 1:],  # another byte
                        m[:at] + m[at + n:],  # some gone
                        m[:at + n] + m[at:]))  # some twice
    return m


def behind_the_via(rnd, m):
    return any_bytes(rnd, m, m.index(b"\r\n", m.index(b"\r\nVia: ") + 2) + 2)


def line_gone(rnd, m):
    lines = lines_of(m)
    del lines[rnd.choice([i for i in range(2, len(lines)) if re.match(b"To|From|Call|CSeq", lines[i])])]
    return joined(lines)


def line_twice(rnd, m):
    lines = lines_of(m)
    lines.insert(rnd.randrange(2, len(lines)),
                 rnd.choice([x for x in lines if re.match(b"To|From|Call|CSeq|Max|Expires|Content", x)]))
    return joined(lines)


def line_ends(rnd, m):
    lines = lines_of(m)
    at = rnd.randrange(2, len(lines))
    lines[at] += rnd.choice((b"\n", b"\r", b"\r\r", b"\0", b"\x01x"))
    return joined(lines)


def bad_number(rnd, m):
    number = rnd.choice((b"-1", b"x", b"", b"4294967296", b"18446744073709551616", b"9" * 200, b"1 1", b"0x1"))
    return re.sub(rnd.choice((rb"(?<=CSeq: )\d+", rb"(?<=Max-Forwards: )\d+", rb"(?<=Expires: )\d+",
                              rb"(?<=Content-Length: )\d+")), lambda _: number, m)


def other_method(rnd, m):
    return m.replace(b" REGISTER\r\n", rnd.choice((b" INVITE\r\n", b" register\r\n", b"\r\n", b" REGISTER x\r\n")))


def many_headers(rnd, m):
    return m[:-2] + b"X: y\r\n" * rnd.randint(64, 400) + b"\r\n"


def long_line(rnd, m):
    return m[:-2] + b"Sub ject: " + b"x" * rnd.randint(1000, 7000) + b"\r\n\r\n"


def escapes(rnd, m):
    return m[:-2] + b'Subject: "' + b"\\\x01" * rnd.randint(17, 3000) + b'"\r\n\r\n'


def bad_address(rnd, m):
    value = rnd.choice((b"\"a <sip:b@c>", b"<sip:a b@c>", b"<sip:b@c", b"<sip:@c>", b"<sip:a@b_c>", b"sip:", b"<>",
                        b"<sip:a@[::zz]>", b"<sip:a@b:99999>", b"<sip:a@b>;;", b"<sip:%4@b>", b"*", b"<sip:a@b>;tag="))
    return re.sub(rnd.choice((rb"(?<=\r\nContact: )[^\r]*", rb"(?<=\r\nFrom: )[^\r]*")), lambda _: value, m)


def compact_and_cut(rnd, m):
    for name, short in COMPACT.items():
        m = m.replace(b"\r\n" + name + b":", b"\r\n" + short + b" :")
    return m[:rnd.randrange(m.index(b"\r\nTo") if b"\r\nTo" in m else len(m) // 2, len(m) - 1)]


def two_at_once(rnd, m):
    return m.replace(b"CSeq: ", b"CSeq: x") + m


KINDS = (behind_the_via, behind_the_via, line_gone, line_twice, line_ends, bad_number, other_method, many_headers,
         bad_address, compact_and_cut, escapes, long_line, two_at_once)


def damaged(rnd, message):
    """One of them, by far the most of them behind the Via, so that they can be answered."""
    return rnd.choice(KINDS)(rnd, message)
