# SPDX-License-Identifier: BSD-3-Clause
"""Certificates by name and read again while clients come and refresh; sessions resumed by ticket, at the
next process too."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import BUILD, GATEWAY_IP  # noqa: E402
from wic import Sip, Ws, http, lease, tls_context  # noqa: E402

N_RELOADS = 100


def make_cert(path, serial, sans, key=None, days=30):
    """PATH.crt, and PATH.key unless there is one, or another is to sign; in place by rename."""
    args = ["openssl", "req", "-x509", "-days", str(days), "-set_serial", str(serial), "-subj",
            f"/CN={os.path.basename(path)}", "-addext", f"subjectAltName={sans}", "-out", path + ".new"]
    if key or os.path.exists(path + ".key"):
        args += ["-key", key or path + ".key"]
    else:
        args += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path + ".key"]
    subprocess.run(args, check=True, capture_output=True)
    os.rename(path + ".new", path + ".crt")


def serial_of(name):
    """Of the certificate that a client gets who asks for name."""
    raw = socket.create_connection((GATEWAY_IP, 443), timeout=10)
    with tls_context().wrap_socket(raw, server_hostname=name) as s:
        pem = ssl.DER_cert_to_PEM_cert(s.getpeercert(binary_form=True))
    out = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem, capture_output=True, text=True,
                         check=True).stdout
    return int(out.strip().split("=")[1], 16)


class Certificates(GatewayCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="regate-tls-")
        cls.addClassCleanup(cls.folder.cleanup)
        os.chmod(cls.folder.name, 0o755)
        make_cert(cls.path("named"), 1001, "DNS:named.example.net")
        make_cert(cls.path("wild"), 1002, "DNS:*.wild.example.net", days=7)
        with open(cls.path("ticket.secret"), "wb") as f:
            f.write(os.urandom(32))
        cls.lab_args = {"conf": {
            "certificates": "".join(f"\n  - certificate: {cls.path(n)}.crt\n    key: {cls.path(n)}.key"
                                    for n in ("named", "wild")),
            "tls": {"ticket_secret": cls.path("ticket.secret")}}}
        super().setUpClass()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    def cli(self, *args):
        return subprocess.run([BUILD + "/controlplane/cli/regatectl", "--socket", self.lab.path("ctl.sock"),
                               *args], capture_output=True, text=True, timeout=20)

    def reload(self):
        done = self.cli("tls", "reload")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_by_name(self):
        shown = json.loads(self.cli("--json", "tls", "show").stdout)["data"]["certificates"]
        self.assertEqual([c["names"] for c in shown[1:]], ["named.example.net", "*.wild.example.net"])
        self.assertEqual([c["is_expiring"] for c in shown], [False, False, True])
        self.assertIn("tls.expiring", self.lab.log("regated"))
        first = int(shown[0]["serial"], 16)
        for name, serial in (("named.example.net", 1001), ("NAMED.example.net", 1001),
                             ("a.wild.example.net", 1002), ("a.b.wild.example.net", first),
                             ("unknown.example", first)):
            with self.subTest(name):
                self.assertEqual(serial_of(name), serial)

    def test_wrong_file_changes_nothing(self):
        make_cert(self.path("wild"), 1002, "DNS:*.wild.example.net")
        make_cert(self.path("other"), 7, "DNS:other")
        make_cert(self.path("named"), 9999, "DNS:named.example.net", key=self.path("other.key"))
        try:
            done = self.cli("tls", "reload")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("named.key", done.stderr)
            self.assertIn("does not match", done.stderr)
            self.assertEqual(serial_of("named.example.net"), 1001)
        finally:
            make_cert(self.path("named"), 1001, "DNS:named.example.net")
        self.reload()
        self.assertEqual(serial_of("named.example.net"), 1001)

    def test_reloads_under_load(self):
        """Old connections refresh, new ones come and register; no one fails."""
        failed, n_done, is_over = [], [0, 0], threading.Event()

        def refresh():
            try:
                with Ws() as ws:
                    sip = Sip(ws, lease())
                    while not is_over.is_set():
                        assert sip.register().status == 200
                        n_done[0] += 1
                        time.sleep(0.6)  # two a second is what a flow may
            except BaseException as e:
                failed.append(repr(e))

        def come():
            given = lease()
            while not is_over.is_set():
                try:
                    with Ws() as ws:
                        assert Sip(ws, given).register().status == 200
                        n_done[1] += 1
                except BaseException as e:
                    failed.append(repr(e))

        threads = [threading.Thread(target=t) for t in (refresh, refresh, refresh, come, come)]
        for t in threads:
            t.start()
        try:
            for i in range(N_RELOADS):
                make_cert(self.path("named"), 2000 + i, "DNS:named.example.net")
                self.reload()
                self.assertEqual(serial_of("named.example.net"), 2000 + i)
        finally:
            is_over.set()
            for t in threads:
                t.join()
            make_cert(self.path("named"), 1001, "DNS:named.example.net")
            self.reload()
        drops = {name: n for name, n in self.lab.counters().items() if name.startswith("drop_") and sum(n)}
        self.assertEqual(failed, [], drops)
        self.assertGreater(n_done[0], 10)
        self.assertGreater(n_done[1], N_RELOADS / 2)
        self.assertEqual(self.stat("drop_tls_bad") + self.stat("drop_tls_no_memory"), 0)

    def s_client(self, *args):
        done = subprocess.run(["openssl", "s_client", "-connect", f"{GATEWAY_IP}:443", "-ign_eof",
                               "-servername", "named.example.net", *args],
                              input=f"GET / HTTP/1.1\r\nHost: {GATEWAY_IP}\r\nConnection: close\r\n\r\n",
                              capture_output=True, text=True, timeout=20)
        self.assertIn("HTTP/1.1 200", done.stdout)
        return "Reused, TLSv1.3" in done.stdout

    def test_tickets(self):
        sess = self.path("session")
        self.assertFalse(self.s_client("-sess_out", sess))
        self.assertTrue(self.s_client("-sess_in", sess, "-sess_out", sess))
        self.assertTrue(self.s_client("-sess_in", sess))  # the new one, and none out
        self.assertTrue(self.s_client("-sess_in", sess))  # twice does no harm
        self.reload()
        self.assertTrue(self.s_client("-sess_in", sess))
        # The secret is in a file: the next process takes the tickets of this one.
        self.assertEqual(self.lab.stop(self.lab.regated, signal.SIGTERM), 0)
        self.lab.start_regated()
        self.assertEqual(http("GET", "/").status, 200)
        self.assertTrue(self.s_client("-sess_in", sess))


if __name__ == "__main__":
    main()
