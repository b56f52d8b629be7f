# SPDX-License-Identifier: BSD-3-Clause
"""Good clients beside an attack: they refresh their registrations, and count what became of it."""

import json
import subprocess
import threading
import time

from wic import Sip, Ws, lease


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def dropped_by_port(iface):
    """Frames to the gateway that did not fit the TAP port's queue."""
    out = subprocess.run(["ip", "-j", "-s", "link", "show", "dev", iface], capture_output=True, check=True)
    return json.loads(out.stdout)[0]["stats64"]["tx"]["dropped"]


class Refreshers:
    """n registered clients, which one thread refreshes in turn, one every `pause` seconds."""

    def __init__(self, n, pause):
        self.sips = []
        self.tries = self.good = 0
        self.errors = []
        self.pause = pause
        self.stopping = False
        for _ in range(n):
            sip = Sip(Ws(timeout=30), lease())
            assert sip.register().status == 200
            self.sips.append(sip)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping:
            for sip in self.sips:
                if self.stopping:
                    break
                self.tries += 1
                try:
                    self.good += sip.register().status == 200
                except Exception as e:  # noqa: BLE001 - whatever it was is the result
                    self.errors.append(repr(e))
                    return
                time.sleep(self.pause)

    def stop(self):
        self.stopping = True
        self.thread.join()

    def close(self):
        self.stop()
        for sip in self.sips:
            sip.ws.sock.close()
