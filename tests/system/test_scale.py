# SPDX-License-Identifier: BSD-3-Clause
"""Many clients: 100 register at once; 1 000 idle connections stay up for a minute while one registers.
Over IPv6 for less: what holds a connection is the same."""

import contextlib
import os
import selectors
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import IS_IP6  # noqa: E402
from wic import PING, PONG, Sip, Ws, frame, lease  # noqa: E402

N_AT_ONCE = 100
N_IDLE = 1000
IDLE_S = 15 if IS_IP6 else 60


class Herd:
    """Idle WebSocket connections that only answer pings."""

    def __init__(self, n):
        self.all = []
        self.dead = 0
        self.pings = 0
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        for _ in range(n):
            ws = Ws()
            ws.sock.setblocking(False)
            self.all.append(ws)
            self.selector.register(ws.sock, selectors.EVENT_READ, ws)

    def serve(self):
        while not self.stopping:
            for key, _ in self.selector.select(0.2):
                self.read(key.data)

    def read(self, ws):
        try:
            data = ws.sock.recv(4096)
        except (BlockingIOError, OSError) as e:
            if "did not complete" in str(e) or isinstance(e, BlockingIOError):
                return
            data = b""
        if not data:
            self.dead += 1
            self.selector.unregister(ws.sock)
            return
        while len(data) >= 2 and data[0] & 15 == PING:
            self.pings += 1
            n = data[1]
            with contextlib.suppress(OSError):  # a dead one is seen by its next recv()
                ws.sock.send(frame(data[2:2 + n], PONG))
            data = data[2 + n:]

    def close(self):
        self.stopping = True
        self.thread.join()
        for ws in self.all:
            ws.sock.close()


class Scale(GatewayCase):
    lab_args = {"pool": 300, "conf": {"dataplane": {"ping": "10s"}}}

    def test_100_clients_at_once(self):
        barrier = threading.Barrier(N_AT_ONCE)
        results, lock = [], threading.Lock()

        def client():
            try:
                given = lease()
                with Ws(timeout=30) as ws:
                    sip = Sip(ws, given)
                    barrier.wait(60)
                    first = sip.register().status
                    again = sip.register().status
                    end = sip.register(expires=0).status
                outcome = (given["impu"], first, again, end)
            except Exception as e:  # noqa: BLE001 - whatever it was is the result
                outcome = (repr(e), 0, 0, 0)
            with lock:
                results.append(outcome)

        threads = [threading.Thread(target=client) for _ in range(N_AT_ONCE)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        bad = [r for r in results if r[1:] != (200, 200, 200)]
        self.assertEqual(bad, [])
        self.assertEqual(len({r[0] for r in results}), N_AT_ONCE)

    def test_1000_idle_connections_stay_up_while_one_registers(self):
        herd = Herd(N_IDLE)
        try:
            with Ws() as ws:
                sip = Sip(ws, lease())
                end = time.monotonic() + IDLE_S
                n = 0
                while time.monotonic() < end:
                    self.assertEqual(sip.register().status, 200)
                    n += 1
                    time.sleep(3)
            listed = self.lab.ctl("conn", "list", "--limit", "2000")["data"]
            self.assertEqual(herd.dead, 0)
            self.assertGreaterEqual(herd.pings, N_IDLE)
            self.assertGreaterEqual(len(listed["connections"]), N_IDLE)
            print(f"{N_IDLE} idle for {IDLE_S} s, {herd.pings} pings answered, {n} REGISTERs meanwhile")
        finally:
            herd.close()


if __name__ == "__main__":
    main()
