# SPDX-License-Identifier: BSD-3-Clause
"""The same gateway on other ports, with several workers, on hugepages, over UDP to the core."""

import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import main  # noqa: E402
from lab import GATEWAY_IP, IS_IP6, TAP, Keeper, Lab, hugepages, reserve_hugepages, sh, wait_for  # noqa: E402
from wic import Sip, Ws, http, lease  # noqa: E402


def veth(_lab):
    """gwA is the port's end, cA the client's. The peer's offloads make frames the port cannot take."""
    sh("ip", "link", "add", "gwA", "type", "veth", "peer", "name", "cA")
    sh("sysctl", "-qw", "net.ipv6.conf.gwA.disable_ipv6=1", f"net.ipv6.conf.cA.disable_ipv6={int(not IS_IP6)}")
    sh("ip", "link", "set", "gwA", "up")
    subprocess.run(["ethtool", "-K", "cA", "tx", "off"], check=True, capture_output=True)


class Tagger(threading.Thread):
    """A switch between the client's untagged port and the TAP port, where frames bear the tag of one
    VLAN; not every kernel has VLANs of its own."""

    TAG = struct.pack("!HH", 0x8100, 100)
    SOL_PACKET, PACKET_AUXDATA, VLAN_VALID = 263, 8, 1 << 4

    def __init__(self, untagged, tagged):
        super().__init__(daemon=True)
        self.ends = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
                     for _ in (untagged, tagged)]
        for end, name in zip(self.ends, (untagged, tagged)):
            end.bind((name, 0))
        self.ends[1].setsockopt(self.SOL_PACKET, self.PACKET_AUXDATA, 1)
        self.n_tagged = 0

    def run(self):
        try:
            while True:
                for end in select.select(self.ends, [], [])[0]:
                    self.forward(end, *self.ends)
        except OSError:
            pass  # the TAP port went with the gateway

    def forward(self, end, untagged, tagged):
        data, more, _, where = end.recvmsg(65536, 256)
        if where[2] == socket.PACKET_OUTGOING:
            return
        if end is untagged:
            tagged.send(data[:12] + self.TAG + data[12:])
            return
        status, _, _, _, _, tci, _ = struct.unpack("IIIHHHH", more[0][2][:20])
        if status & self.VLAN_VALID and tci == 100:  # the kernel took the tag off
            self.n_tagged += 1
            untagged.send(data)


class VlanLink(Lab):
    def link_up(self):
        sh("ip", "link", "add", "cA", "type", "veth", "peer", "name", "cB")
        subprocess.run(["ethtool", "-K", "cA", "tx", "off"], check=True, capture_output=True)
        sh("sysctl", "-qw", f"net.ipv6.conf.{TAP}.disable_ipv6=1", "net.ipv6.conf.cB.disable_ipv6=1")
        for name in (TAP, "cB"):
            sh("ip", "link", "set", name, "up")
        self.tagger = Tagger("cB", TAP)
        self.tagger.start()
        super().link_up()


class NoLink(Lab):
    """A port without an interface of the kernel's."""

    def link_up(self):
        pass


class Ports(unittest.TestCase):
    def serve(self, n=8, kind=Lab, **lab_args):
        with kind(pool=40, **lab_args) as lab:
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

    def test_two_workers_one_queue(self):
        """The worker without a queue lives by what the other hands it, and sends through it."""
        got = self.serve(n=24, iface="cA", prepare=veth,
                         conf={"dataplane": {"workers": 2, "lcores": '"0,1"',
                                             "port": "net_af_packet0,iface=gwA,qdisc_bypass=1,framecnt=4096"}})
        self.assertGreater(min(got["tcp_opened"]), 0, "a worker that owns no flow")
        self.assertEqual(got["rx_packets"][1], 0)
        self.assertEqual(got["handoff"][1], 0)
        self.assertGreater(got["handoff"][0], 0)
        self.assertEqual(got["tx_packets"][1], 0)
        self.assertEqual(got["relayed"][0], 0)
        self.assertGreater(got["relayed"][1], 0)

    def test_checksums_of_the_port(self):
        """net_tap computes what it is asked for, and checks what comes."""
        for vlan in (0, 100):
            args = {"kind": VlanLink, "iface": "cA"} if vlan else {}
            got = self.serve(conf={"dataplane": {"checksums": "port", "vlan": vlan}}, **args)
            self.assertEqual(got["drop_tcp_checksum"], [0])

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

    def test_vlan(self):
        self.serve(conf={"dataplane": {"vlan": 100}}, kind=VlanLink, iface="cA")

    def test_vlan_of_others(self):
        """Without that VLAN of its own the gateway hears nothing that bears its tag."""
        with VlanLink(iface="cA") as lab:
            done = subprocess.run(["ping", "-c", "1", "-W", "1", GATEWAY_IP], capture_output=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertGreater(lab.counters()["drop_vlan_other"][0], 0)
            self.assertEqual(lab.tagger.n_tagged, 0)

    def test_both_families(self):
        """The other address beside the lab's; what it is of each family on the wire, the counters say."""
        name, ours, clients = (("address", "10.79.0.2/24", "10.79.0.1/24") if IS_IP6 else
                               ("address6", "fd00:79::2/64", "fd00:79::1/64"))
        with Lab(pool=40, conf={"dataplane": {name: f"'{ours}'"}}) as lab:
            sh("ip", "addr", "add", clients, "dev", TAP, *([] if IS_IP6 else ["nodad"]))
            for ip in (GATEWAY_IP, ours.split("/")[0]):
                for _ in range(4):
                    answer = subprocess.run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}",
                                             f"https://[{ip}]/" if ":" in ip else f"https://{ip}/"],
                                            capture_output=True, text=True)
                    self.assertEqual(answer.stdout, "200", ip)
            counters = lab.counters()
            self.assertGreater(counters["arp_replies"][0], 0)
            self.assertGreater(counters["nd_replies"][0], 0)
            listed = lab.ctl("status")["data"]["config"]
            self.assertIn("[fd00:", listed["listen6"])
            self.assertIn("10.7", listed["listen"])

    def test_core_over_udp(self):
        self.serve(conf={"core": {"transport": "udp"}})


if __name__ == "__main__":
    main()
