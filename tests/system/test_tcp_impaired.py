# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's TCP against ours over a path that loses, corrupts, repeats and reorders packets both
ways: the impairment stage of regated-test, between its port and its workers. TLS is the judge of
every byte: one that is wrong ends a connection with an error that is none of the path's."""

import concurrent.futures
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import GATEWAY_IP, ROOT, TAP, wait_for  # noqa: E402
import wic  # noqa: E402
from wic import Sip, Ws, http, lease, tls_connect  # noqa: E402

PAGE = "/session.js"
UPLOAD = b"x" * 30000


def tcp_counter(name):
    """Of the kernel, in this namespace."""
    with open("/proc/net/snmp") as f:
        names, values = [line.split() for line in f if line.startswith("Tcp:")]
    return int(values[names.index(name)])


class Impaired(GatewayCase):
    # A tenth is gone in each direction: a segment fails nine times in a row less than once in a
    # million. All dialogues must end well.
    impair = "seed=1,loss=5,corrupt=5,dup=3,reorder=10,delay=1"
    n, must_end_well = 120, 120
    timeout_s = 120

    @classmethod
    def setUpClass(cls):
        cls.lab_args = {"pool": 5 * cls.n, "conf": {"test": {"impair": cls.impair},
                                                    "dataplane": {"head_timeout": "120s"}}}
        super().setUpClass()
        # The kernel gives a neighbour up after three lost solicitations, and its TCP with it.
        subprocess.run(["ip", "neigh", "replace", GATEWAY_IP, "lladdr", "02:00:00:00:00:99", "dev", TAP, "nud",
                        "permanent"], check=True)
        wic.TIMEOUT_S = cls.timeout_s
        with open(os.path.join(ROOT, "controlplane/wwsf/wic/dist" + PAGE), "rb") as f:
            cls.page = f.read()

    def download(self):
        """The gateway closes, in order: our close would be an RST while its tickets lie unread."""
        sock = tls_connect()
        answer = http("GET", PAGE, headers={"Connection": "close"}, sock=sock)
        self.assertEqual((answer.status, answer.body), (200, self.page))
        with sock.unwrap() as raw:
            self.assertEqual(raw.recv(1), b"")

    def upload(self):
        self.assertEqual(http("POST", "/v1/lease", UPLOAD).status, 400)

    def register(self):
        with Ws() as ws:
            sip = Sip(ws, lease())
            self.assertEqual([sip.register(expires=e).status for e in (300, 300, 0)], [200] * 3)

    def dialogue(self, i):
        """True: it went well. False: the path was too bad, nothing else."""
        try:
            (self.download, self.upload, self.register)[i % 3]()
        except (TimeoutError, ConnectionError) as e:
            print(f"dialogue {i}: {e!r}", file=sys.stderr)
            return False
        return True

    def test_no_wrong_byte_and_no_hang(self):
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(self.n) as pool:
            well = sum(pool.map(self.dialogue, range(self.n)))
        self.assertGreaterEqual(well, self.must_end_well)
        self.assertEqual(self.stat("drop_tls_bad"), 0, "a wrong byte came through")
        seen = {"refused by us": self.stat("drop_tcp_checksum") + self.stat("drop_ip_checksum"),
                "refused by the kernel": tcp_counter("InCsumErrors"),
                "sent again by us": self.stat("tcp_retransmits"),
                "sent again by the kernel": tcp_counter("RetransSegs")}
        print(f"{well} of {self.n} in {time.monotonic() - begin:.0f} s: {seen}", file=sys.stderr)
        for what, n in seen.items():
            self.assertGreater(n, 20, what)
        wait_for("end of all connections", lambda: self.stat("now_conns") == 0 and
                 self.stat("now_tcp_buffers") == 0, 150)
        if self.must_end_well == self.n:  # a FIN that never comes through is given up too
            self.assertEqual(self.stat("drop_tcp_timeout"), 0)


class Bad(Impaired):
    # More than a quarter is gone in each direction: every second try of a segment fails, so that now
    # and then one side or the other gives up.
    impair = "seed=2,loss=15,corrupt=15,dup=2,reorder=5"
    n, must_end_well = 30, 15
    timeout_s = 60


if __name__ == "__main__":
    main()
