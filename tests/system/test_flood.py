# SPDX-License-Identifier: BSD-3-Clause
"""SYN floods of hosts that do not exist, at a rate the port takes and at all it takes: whoever is
registered loses nothing, new clients get in, and no SYN costs a byte."""

import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from herd import Refreshers, dropped_by_port, rss_kib  # noqa: E402
from lab import BUILD, GATEWAY_IP, IS_IP6, TAP, die_with_parent, wait_for  # noqa: E402
from wic import Sip, Ws, lease  # noqa: E402

MAC = "02:00:00:00:00:99"
FLOOD_S = 5 if IS_IP6 else 10
N_ESTABLISHED = 20


class Newcomers:
    """Clients one after the other, each of which connects and registers; how many got through."""

    def __init__(self, given):
        self.given = given
        self.tries = self.good = 0
        self.last_error = None
        self.stopping = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping:
            self.tries += 1
            try:
                with Ws(timeout=10) as ws:
                    self.good += Sip(ws, self.given).register().status == 200
            except Exception as e:  # noqa: BLE001 - whatever it was, it did not get through
                self.last_error = e

    def stop(self):
        self.stopping = True
        self.thread.join()


class SynFlood(GatewayCase):
    lab_args = {"pool": 200, "conf": {"registration": {"rate": 100, "rate_burst": 100}}}

    def flood(self, rate):
        given = lease(account="alice", password="correct horse")
        herd = Refreshers(N_ESTABLISHED, 0.2)
        rss, slots, opened = rss_kib(self.lab.regated.pid), self.stat("now_tcp_slots"), self.stat("tcp_opened")
        port = dropped_by_port(TAP)
        segs = self.stat("tcp_segs_in")
        flood = subprocess.Popen([BUILD + "/tests/system/flood", TAP, MAC, GATEWAY_IP, "443",
                                  str(FLOOD_S), str(rate)], stdout=subprocess.PIPE, text=True,
                                 preexec_fn=die_with_parent)
        newcomers = Newcomers(given)
        most_slots, most_rss = 0, 0
        while flood.poll() is None:
            most_slots = max(most_slots, self.stat("now_tcp_slots"))
            most_rss = max(most_rss, rss_kib(self.lab.regated.pid))
            time.sleep(0.2)
        said = json.loads(flood.communicate()[0])
        newcomers.stop()
        herd.stop()
        lost = dropped_by_port(TAP) - port
        taken = self.stat("tcp_segs_in") - segs
        print(f"\n{said['sent']} SYNs in {said['ns'] / 1e9:.1f} s, {taken} segments taken, the port dropped {lost}; "
              f"{herd.good} of {herd.tries} refreshes, {newcomers.good} of {newcomers.tries} newcomers; "
              f"{most_slots} slots at most, RSS {rss} to {most_rss} KiB")
        self.assertEqual(flood.returncode, 0)
        self.assertGreater(said["sent"], 1000)
        # Established ones lose nothing.
        self.assertEqual(herd.errors, [])
        self.assertEqual(herd.good, herd.tries)
        # How many fit into the time is the port's doing once it drops: each lost segment costs an RTO.
        is_port_full = lost * 100 >= said["sent"]
        self.assertGreater(herd.good, 0 if is_port_full else N_ESTABLISHED)
        self.assertEqual(self.stat("drop_no_mbuf"), 0)
        # No state per SYN: slots are those who speak to us, and one for whoever has just left; on a
        # full port their last segments are lost, and they leave later.
        self.assertLessEqual(most_slots, slots + 2 + (newcomers.tries if is_port_full else 0))
        self.assertLessEqual(self.stat("tcp_opened") - opened, newcomers.tries)
        if "asan" not in BUILD:  # which keeps what the newcomers' handshakes freed
            # What newcomers touch for the first time.
            self.assertLess(most_rss, rss + 8192 + 2 * newcomers.good)
        self.assertGreater(newcomers.tries, 0)
        if not is_port_full:
            self.assertGreaterEqual(newcomers.good, 0.95 * newcomers.tries, newcomers.last_error)
        herd.close()
        wait_for("all slots back", lambda: self.stat("now_tcp_slots") == 0, 60)

    def test_what_the_port_takes(self):
        self.flood(5000)

    def test_all_that_it_takes(self):
        self.flood(10 ** 9)


if __name__ == "__main__":
    main()
