# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's TCP against ours over a path that loses packets both ways. The client sits behind a
router, in a namespace of its own: what is dropped while forwarded is lost, what is dropped on the
way out of its sender is an error that the sender sees."""

import concurrent.futures
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import IS_IP6, ROOT, TAP, enter_new_netns, sh  # noqa: E402
import wic  # noqa: E402
from wic import Sip, Ws, http, lease  # noqa: E402

ROUTER, CLIENT, PREFIX, NODAD = (("fd00:78::1", "fd00:78::2", 64, "nodad") if IS_IP6 else
                                 ("10.78.0.1", "10.78.0.2", 24, ""))
N = 50
N_AT_ONCE = 10
LOSS_PER_MILLE = 50
PAGE = "/jssip.min.js"
NFT = """
table inet imp
delete table inet imp
table inet imp {{
  chain forward {{
    type filter hook forward priority 0;
    iifname "{tap}" numgen random mod 1000 < {loss} counter drop;
    iifname "vA" numgen random mod 1000 < {loss} counter drop;
  }}
}}
"""


class TcpLoss(GatewayCase):
    # Four losses in a row, which some segment meets, take 15 s of retransmissions.
    lab_args = {"pool": 5 * N, "conf": {"dataplane": {"head_timeout": "120s"}}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        wic.TIMEOUT_S = 120
        cls.router = ["nsenter", f"--net=/proc/{cls.lab.regated.pid}/ns/net"]
        enter_new_netns()
        for step in ("ip link add vA type veth peer name vB", f"ip link set vB netns {os.getpid()}",
                     f"ip addr add {ROUTER}/{PREFIX} dev vA {NODAD}", "ip link set vA up",
                     "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"):
            sh(*cls.router, *step.split())
        sh(*f"ip addr add {CLIENT}/{PREFIX} dev vB {NODAD}".split())
        sh("ip", "link", "set", "vB", "up")
        sh("ip", "route", "add", "default", "via", ROUTER)
        sh("sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1")
        # One packet each: a drop takes what would be lost on a wire.
        for where, dev in ((cls.router, TAP), (cls.router, "vA"), ([], "vB")):
            subprocess.run([*where, *f"ethtool -K {dev} gro off gso off tso off tx off".split()],
                           check=True, capture_output=True)
        cls.lose(LOSS_PER_MILLE)
        with open(os.path.join(ROOT, "controlplane/wwsf/wic/dist" + PAGE), "rb") as f:
            cls.page = f.read()

    @classmethod
    def lose(cls, per_mille):
        subprocess.run([*cls.router, "nft", "-f", "-"], text=True, check=True,
                       input=NFT.format(tap=TAP, loss=per_mille))

    def lost(self):
        """Packets dropped from the gateway, and to it."""
        out = subprocess.run([*self.router, "nft", "-j", "list", "table", "inet", "imp"], text=True,
                             capture_output=True, check=True).stdout
        return [part["counter"]["packets"] for item in json.loads(out)["nftables"]
                for part in item.get("rule", {}).get("expr", []) if "counter" in part]

    def download(self, _):
        answer = http("GET", PAGE)
        return answer.status == 200 and answer.body == self.page

    def register(self, _):
        with Ws() as ws:
            sip = Sip(ws, lease())
            return [sip.register(expires=e).status for e in (300, 300, 0)] == [200] * 3

    def through(self, **sysctls):
        for name, value in sysctls.items():
            sh("sysctl", "-qw", f"net.ipv4.{name}={value}")
        lost, again = self.lost(), self.stat("tcp_retransmits")
        try:
            with concurrent.futures.ThreadPoolExecutor(N_AT_ONCE) as pool:
                pages = list(pool.map(self.download, range(N)))
                cycles = list(pool.map(self.register, range(N)))
        finally:
            for name in sysctls:
                sh("sysctl", "-qw", f"net.ipv4.{name}=1")
        self.assertEqual((sum(pages), sum(cycles)), (N, N))
        lost = [b - a for a, b in zip(lost, self.lost())]
        again = self.stat("tcp_retransmits") - again
        print(f"lost {lost}, {again} sent again", file=sys.stderr)
        self.assertGreater(min(lost), 100, "the path lost too little to show anything")
        self.assertGreater(again, lost[0] // 2)
        # What is sent again without need: with SACK little, without it what lay behind a hole.
        self.assertLess(again, lost[0] * (2 if sysctls.get("tcp_sack", 1) else 3))

    def test_path_mtu(self):
        """A link of 1300 bytes that neither end knows of: the router says so, in its family's words."""
        told = self.stat("icmp_errors")
        sh(*self.router, *"ip link set vA mtu 1300".split())
        try:
            self.assertTrue(self.download(0))
        finally:
            sh(*self.router, *"ip link set vA mtu 1500".split())
        self.assertGreater(self.stat("icmp_errors"), told)

    def test_all_options(self):
        self.through()

    def test_without_sack(self):
        self.through(tcp_sack=0)

    def test_without_timestamps(self):
        self.through(tcp_timestamps=0)

    def test_without_window_scaling(self):
        self.through(tcp_window_scaling=0)

    def test_three_times_the_loss(self):
        self.lose(3 * LOSS_PER_MILLE)
        self.addCleanup(self.lose, LOSS_PER_MILLE)
        with concurrent.futures.ThreadPoolExecutor(N) as pool:
            self.assertEqual(sum(pool.map(self.register, range(N))), N)
        self.assertGreater(min(self.lost()), 100, "the path lost too little to show anything")


if __name__ == "__main__":
    main()
