# SPDX-License-Identifier: BSD-3-Clause
"""The same gateway on other ports, with several workers, on hugepages, over UDP to the core."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import main  # noqa: E402
from lab import GATEWAY_IP, Keeper, Lab, hugepages, reserve_hugepages, sh, wait_for  # noqa: E402
from wic import Sip, Ws, http, lease  # noqa: E402


def veth(_lab):
    """gwA is the port's end, cA the client's. The peer's offloads make frames the port cannot take."""
    sh("ip", "link", "add", "gwA", "type", "veth", "peer", "name", "cA")
    sh("sysctl", "-qw", "net.ipv6.conf.gwA.disable_ipv6=1", "net.ipv6.conf.cA.disable_ipv6=1")
    sh("ip", "link", "set", "gwA", "up")
    subprocess.run(["ethtool", "-K", "cA", "tx", "off"], check=True, capture_output=True)


class NoLink(Lab):
    """A port without an interface of the kernel's."""

    def link_up(self):
        pass


class Ports(unittest.TestCase):
    def serve(self, n=8, **lab_args):
        with Lab(pool=40, **lab_args) as lab:
            self.assertEqual(subprocess.run(["ping", "-c", "2", "-i", "0.2", "-W", "2", GATEWAY_IP],
                                            capture_output=True).returncode, 0)
            self.assertEqual(http("GET", "/").status, 200)
            for _ in range(n):
                with Ws() as ws:
                    sip = Sip(ws, lease())
                    for expires in (300, 300, 0):
                        self.assertEqual(sip.register(expires=expires).status, 200)
            counters = lab.counters()
            code = lab.stop(lab.regated)
            self.assertEqual(code, 0, lab.log("regated"))
            return counters

    def test_tap_two_workers(self):
        opened = self.serve(n=24, conf={"dataplane": {"workers": 2, "lcores": '"0,1"'}})["tcp_opened"]
        self.assertEqual(len(opened), 2)
        self.assertGreater(min(opened), 0, "a worker that owns no flow")

    def test_tap_busy_worker(self):
        self.assertEqual(self.serve(conf={"dataplane": {"idle": "busy"}})["sleeps"], [0])

    def test_tap_idle_worker_sleeps(self):
        self.assertGreater(self.serve()["sleeps"][0], 0)

    def test_hugepages(self):
        keeper = Keeper(tempfile.mkdtemp(prefix="regate-"))
        self.addCleanup(keeper.clean)
        reserve_hugepages(128, keeper)
        if hugepages("free") < 64:
            self.skipTest("this kernel gives no hugepages")
        self.serve(conf={"dataplane": {"hugepages": "yes"}})

    def test_af_packet(self):
        self.serve(conf={"dataplane": {"port": "net_af_packet0,iface=gwA,qdisc_bypass=1,framecnt=4096"}},
                   iface="cA", prepare=veth)

    def test_af_xdp(self):
        self.serve(conf={"dataplane": {"port": "net_af_xdp0,iface=gwA,busy_budget=0"}}, iface="cA",
                   prepare=veth)

    def test_memif_waits_for_its_peer(self):
        """No client comes: the gateway is up all the same, answers its operator and sleeps."""
        socket = f"/tmp/regate-memif-{os.getpid()}.sock"
        port = f"net_memif0,role=server,id=0,socket={socket},socket-abstract=no,rsize=10,bsize=2048"
        with NoLink(conf={"dataplane": {"port": port}}) as lab:
            wait_for("sleep", lambda: lab.counters()["sleeps"][0] > 0)
            self.assertEqual(lab.stop(lab.regated), 0, lab.log("regated"))
        self.assertFalse(os.path.exists(socket))

    def test_core_over_udp(self):
        self.serve(conf={"core": {"transport": "udp"}})


if __name__ == "__main__":
    main()
