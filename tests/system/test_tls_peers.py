# SPDX-License-Identifier: BSD-3-Clause
"""TLS with whom browsers and phones do it: OpenSSL over every suite, group and ALPN, GnuTLS, NSS; each
refused with the right alert when it knows no TLS 1.3."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import DOMAIN, GATEWAY_IP, die_with_parent  # noqa: E402

ADDRESS = f"{GATEWAY_IP}:443"
NAME = f"epcscf1.{DOMAIN}"
REQUEST = f"GET / HTTP/1.1\r\nHost: {GATEWAY_IP}\r\n\r\n"
LAST = f"GET / HTTP/1.1\r\nHost: {GATEWAY_IP}\r\nConnection: close\r\n\r\n"
PAGE = "</html>"
SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


def talk(args, *steps):
    """Runs a client. Each step is what it is told, and what it shows then; it may end before. Returns all
    that it said."""
    client = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
    os.set_blocking(client.stdout.fileno(), False)
    said = b""
    end = time.monotonic() + 20
    try:
        for line, shown in steps:
            seen = len(said)
            with contextlib.suppress(BrokenPipeError):
                client.stdin.write(line.encode())
                client.stdin.flush()
            while shown.encode() not in said[seen:] and time.monotonic() < end:
                is_over = client.poll() is not None
                said += client.stdout.read() or b""
                if is_over:
                    break
                time.sleep(0.005)
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()
        client.wait(10)
        said += client.stdout.read() or b""
    finally:
        if client.poll() is None:
            client.kill()
            client.wait()
        client.stdout.close()
    return said.decode(errors="replace")


def openssl(*args, steps=((LAST, PAGE),)):
    return talk(["openssl", "s_client", "-connect", ADDRESS, "-servername", NAME, *args], *steps)


def gnutls(priority, *args):
    return talk(["gnutls-cli", "--port", "443", "--sni-hostname", NAME, "--verify-hostname", NAME,
                 "--priority", priority, *args, GATEWAY_IP], (LAST, PAGE))


def nss(*args):
    # -D: no database of its own; -o: takes our certificate, which none would vouch for. It goes on after
    # its input has ended only where that is a file.
    with tempfile.TemporaryFile() as request:
        request.write(LAST.encode())
        request.seek(0)
        done = subprocess.run(["tstclnt", "-D", "-o", "-h", GATEWAY_IP, "-p", "443", "-a", NAME, *args],
                              stdin=request, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    return done.stdout.decode(errors="replace")


class Peers(GatewayCase):
    def assert_served(self, said, *parts):
        for part in ("HTTP/1.1 200 OK", PAGE, *parts):
            self.assertIn(part, said)

    def refused(self, client, *parts, drop="tls_bad"):
        """The client is told why, and it is counted."""
        before = self.stat("drop_" + drop)
        said = client()
        self.assertNotIn("HTTP/1.1", said)
        for part in parts:
            self.assertIn(part, said)
        self.wait_stat("drop_" + drop, before + 1)

    def test_openssl_suites_and_groups(self):
        for suite in SUITES:
            for group, temp in (("X25519", "X25519"), ("P-256", "prime256v1")):
                with self.subTest(suite=suite, group=group):
                    said = openssl("-ciphersuites", suite, "-groups", group, "-CAfile",
                                   self.lab.path("tls.crt"), "-verify_return_error")
                    self.assert_served(said, f"Cipher is {suite}", "TLSv1.3", f"{temp}, ",
                                       "Verify return code: 0")

    def test_openssl_asks_again(self):
        """Its key share is of no group of ours, but its list has one: HelloRetryRequest."""
        said = openssl("-groups", "X448:P-521:P-256", "-msg")
        self.assert_served(said, "prime256v1, ")
        self.assertEqual(said.count(", ClientHello"), 2)

    def test_openssl_order_of_suites_is_ours(self):
        self.assert_served(openssl("-ciphersuites", ":".join(reversed(SUITES))),
                           f"Cipher is {SUITES[0]}")

    def test_openssl_updates_its_keys(self):
        """K asks for an update of both sides, k tells of its own."""
        for suite in SUITES:
            with self.subTest(suite):
                said = openssl("-ciphersuites", suite,
                               steps=((REQUEST, PAGE), ("K\n", "KEYUPDATE"), (REQUEST, PAGE),
                                      ("k\n", "KEYUPDATE"), ("K\n", "KEYUPDATE"), (LAST, PAGE)))
                self.assertEqual(said.count(PAGE), 3)

    def test_openssl_alpn(self):
        self.assert_served(openssl("-alpn", "h2,http/1.1"), "ALPN protocol: http/1.1")
        self.assert_served(openssl(), "No ALPN negotiated")
        self.refused(lambda: openssl("-alpn", "h2"), "alert no application protocol")

    def test_openssl_nothing_in_common(self):
        self.refused(lambda: openssl("-groups", "X448:P-521"), "alert handshake failure")
        self.refused(lambda: openssl("-ciphersuites", "TLS_AES_128_CCM_SHA256"),
                     "alert handshake failure")
        self.refused(lambda: openssl("-sigalgs", "RSA-PSS+SHA256"), "alert handshake failure")

    def test_gnutls(self):
        ca = f"--x509cafile={self.lab.path('tls.crt')}"
        for cipher in ("AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305"):
            for group in ("X25519", "SECP256R1"):
                with self.subTest(cipher=cipher, group=group):
                    said = gnutls(f"NORMAL:-CIPHER-ALL:+{cipher}:-GROUP-ALL:+GROUP-{group}", ca)
                    self.assert_served(said, "TLS1.3", cipher, group, "certificate is trusted")

    def test_nss(self):
        for suite in ("1301", "1302", "1303"):
            for group in ("x25519", "P256"):
                with self.subTest(suite=suite, group=group):
                    said = nss("-V", "tls1.3:tls1.3", "-c", f":{suite}", "-I", group, "-v")
                    self.assert_served(said, "SSL version 3.4")

    def test_no_tls_1_3(self):
        for version in ("-tls1_2", "-tls1_1", "-tls1"):
            with self.subTest(version):
                # At security level 0 it offers what the two oldest need.
                self.refused(lambda: openssl(version, "-cipher", "ALL:@SECLEVEL=0"),
                             "alert protocol version", drop="tls_version")
        self.refused(lambda: gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2"), "Error in protocol version",
                     drop="tls_version")
        self.refused(lambda: nss("-V", "tls1.2:tls1.2"), "SSL_ERROR_PROTOCOL_VERSION_ALERT",
                     drop="tls_version")


if __name__ == "__main__":
    main()
