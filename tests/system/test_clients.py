# SPDX-License-Identifier: BSD-3-Clause
"""JsSIP and SIP.js with Kamailio behind the gateway: both libraries report registered, the location
table holds one binding per WIC with the Path, and a capture shows every header of a REGISTER by
Trusted Node Authentication."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import DOMAIN, IS_IP6, wait_for  # noqa: E402
from wic import Sip, Ws, lease  # noqa: E402

# Header and what its value must look like (TS 24.229 as in ims.md 1.5).
CORE_HEADERS = {
    "Via": rf"^SIP/2\.0/TCP epcscf1\.{DOMAIN}:5060;branch=z9hG4bK\S+$",
    "Max-Forwards": r"^70$",
    "From": rf"^<sip:pool-\d+@{DOMAIN}>;tag=\S+$",
    "To": rf"^<sip:pool-\d+@{DOMAIN}>$",
    "Call-ID": r"^\S+$",
    "CSeq": r"^\d+ REGISTER$",
    "Contact": r"^<sip:\S+\.invalid;transport=ws>;.*expires=\d+",
    "Expires": r"^\d+$",
    "Path": rf"^<sip:\S+@epcscf1\.{DOMAIN}:5060;transport=tcp;lr(;ob)?>$",
    "Require": r"^path$",
    "Supported": r"path.*outbound.*gruu",
    "P-Visited-Network-ID": rf'^"?{DOMAIN}"?$',
    "P-Charging-Vector": r"^icid-value=\S+;icid-generated-at=\S+",
    "Authorization": rf'^Digest username="pool-\d+@{DOMAIN}", ?realm="{DOMAIN}", ?uri="sip:{DOMAIN}", ?'
                     r'nonce="", ?response="", ?integrity-protected="auth-done"$',
    "Content-Length": r"^0$",
}
FORBIDDEN = ("P-Asserted-Identity", "Security-Client", "Proxy-Require", "Route")


class Clients(GatewayCase):
    lab_args = {"core": "kamailio"}

    def capture(self):
        """Starts tshark on the way to the core; call the result to end it and get the messages."""
        path = self.lab.path("core.pcap")
        proc = subprocess.Popen(["tshark", "-q", "-i", "lo", "-f", "tcp port 6060", "-w", path],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in proc.stderr:
            if "Capturing on" in line:
                break
        wait_for("the capture file", lambda: os.path.exists(path))
        time.sleep(0.5)  # tshark says so before the filter is on; nothing announces that

        def end():
            time.sleep(0.5)
            proc.terminate()
            proc.communicate(timeout=20)
            out = subprocess.run(["tshark", "-r", path, "-T", "fields", "-e", "tcp.payload", "-Y",
                                  "tcp.dstport == 6060 && tcp.len > 0"], capture_output=True, text=True)
            return bytes.fromhex("".join(out.stdout.split())).decode().split("\r\n\r\n")

        return end

    def run_client(self, script, **env):
        client = self.lab.node(script, **env)
        out, err = client.communicate(timeout=90)
        self.assertEqual(client.returncode, 0, out + err)
        return [json.loads(line) for line in out.splitlines()]

    def check_client(self, script, **env):
        end = self.capture()
        client = self.lab.node(script, HOLD="1", **env)
        steps = []
        for line in client.stdout:
            steps.append(json.loads(line))
            if steps[-1]["step"] == "registered":
                self.check_table(steps)
                client.stdin.write("\n")
                client.stdin.flush()
        self.assertEqual(client.wait(30), 0, client.stderr.read())
        client.stdin.close()
        names = " ".join(s["step"] for s in steps)
        for step in ("registered", "refreshed", "unregistered"):
            self.assertIn(step, names)
        messages = [m for m in end() if m.startswith("REGISTER ")]
        self.assertGreaterEqual(len(messages), 2)  # one to register, one to end
        for message in messages:
            self.check_message(message)

    def check_table(self, steps):
        """The client is registered now: one binding with the Path of its lease."""
        impu = next(s["impu"] for s in steps if "impu" in s)
        table = self.lab.kamailio_contacts()
        self.assertEqual(table.count("Address: "), 1, table)
        self.assertIn(f"AoR: {impu[4:]}", table)
        self.assertRegex(table, rf"Path: <sip:l\d+\.g\d+\.\w+@epcscf1\.{DOMAIN}:5060;")

    def check_message(self, message):
        line, *rest = message.split("\r\n")
        self.assertEqual(line, f"REGISTER sip:{DOMAIN} SIP/2.0")
        headers = {}
        for text in rest:
            name, _, value = text.partition(":")
            headers.setdefault(name.strip(), []).append(value.strip())
        for name, pattern in CORE_HEADERS.items():
            self.assertEqual(len(headers.get(name, [])), 1, f"{name} in {message}")
            self.assertRegex(headers[name][0], pattern)
        for name in FORBIDDEN:
            self.assertNotIn(name, headers)
        self.assertNotIn("Bearer", message)

    def test_jssip(self):
        self.check_client("jssip_client.js")

    def test_sipjs(self):
        self.check_client("sipjs_client.js")

    def test_jssip_with_an_account(self):
        steps = self.run_client("jssip_client.js", ACCOUNT="alice", PASSWORD="correct horse")
        self.assertIn(f"sip:alice@{DOMAIN}", json.dumps(steps))

    def test_one_binding_per_wic_with_its_path(self):
        clients = []
        try:
            for _ in range(10):
                ws = Ws()
                sip = Sip(ws, lease())
                clients.append(sip)
                for _ in range(2):
                    self.assertEqual(sip.register().status, 200)
            table = self.lab.kamailio_contacts()
            for sip in clients:
                self.assertEqual(table.count(sip.host), table.count(f"sip:u@{sip.host}"))
                block = table[table.index(sip.impu[4:]):]
                self.assertEqual(len(re.findall(rf"Address: sip:u@{re.escape(sip.host)}", table)), 1, table)
                self.assertRegex(block, rf"Path: <sip:l\d+\.g\d+\.\w+@epcscf1\.{DOMAIN}:5060;")
            for sip in clients:
                self.assertEqual(sip.register(expires=0).status, 200)
            table = self.lab.kamailio_contacts()
            for sip in clients:
                self.assertNotIn(sip.host, table)
        finally:
            for sip in clients:
                sip.ws.sock.close()


class Many(GatewayCase):
    """Clients by hand, as many as there are pairs."""

    N = 100 if IS_IP6 else 1000
    lab_args = {"core": "kamailio", "pool": N}

    def test_t15_one_binding_for_each(self):
        """T15: an individual registration for each client, no identity and no Contact shared."""
        clients = []
        with contextlib.ExitStack() as flows:
            for _ in range(self.N):
                clients.append(Sip(flows.enter_context(Ws()), lease()))
                self.assertEqual(clients[-1].register().status, 200)
            table = self.lab.kamailio_aors([sip.impu[4:] for sip in clients])
        self.assertEqual(len(table), self.N)
        for sip in clients:
            block = table[sip.impu[4:]]
            self.assertEqual(re.findall(r"Address: sip:u@([^;\s]+)", block), [sip.host])
            self.assertEqual(block.count("Path: "), 1)


if __name__ == "__main__":
    main()
