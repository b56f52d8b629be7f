# SPDX-License-Identifier: BSD-3-Clause
"""Slow clients, thousands at once and in each phase that a client can stall in: the good ones beside
them do not notice, each slow one is ended by its timer and counted, and all that they held comes back."""

import os
import random
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from herd import Refreshers, rss_kib  # noqa: E402
from lab import BUILD, IS_IP6, wait_for  # noqa: E402
import slow  # noqa: E402

PHASES = [slow.tcp_only, slow.half_hello, slow.handshake, slow.half_head, slow.half_frame,
          slow.open_fragments, slow.zero_window]
IS_SHORT = IS_IP6 or "asan" in BUILD
N_SLOW = 700 if IS_SHORT else 4004
N_GOOD = 10
N_SOURCES = 8
TIMER_S = 10 if IS_IP6 else 30  # more than it takes to open them all


class Slow(GatewayCase):
    lab_args = {"conf": {
        "dataplane": {"connections": 16384, "head_timeout": f"{TIMER_S}s", "idle_timeout": f"{TIMER_S}s"},
        "registration": {"rate": 100, "rate_burst": 100}}}

    def test_all_phases_at_once(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        sources = slow.sources(N_SOURCES)
        todo = [(phase, sources[i % N_SOURCES]) for i in range(N_SLOW // len(PHASES)) for phase in PHASES]
        random.Random(1).shuffle(todo)
        good = Refreshers(N_GOOD, 0.05)
        before, rss = self.stats(), rss_kib(self.lab.regated.pid)
        start = time.monotonic()
        held = [phase(source) for phase, source in todo]
        opened_s = time.monotonic() - start
        wait_for("all at once", lambda: self.stat("now_conns") == len(held) + N_GOOD)
        most_rss = rss_kib(self.lab.regated.pid)
        wait_for("end of the slow ones", lambda: self.stat("now_conns") == N_GOOD, 4 * TIMER_S)
        good.stop()
        self.assertEqual(good.errors, [])
        self.assertEqual(good.good, good.tries)
        self.assertGreater(good.good, N_GOOD)
        after = self.stats()
        print(f"\n{len(held)} slow ones within {opened_s:.0f} s, RSS {rss} to {most_rss} KiB; "
              f"{good.good} of {good.tries} refreshes")
        # Each is ended for being idle; a WebSocket once more, since it does not answer our close frame.
        n = N_SLOW // len(PHASES)
        drops = {name: after[name] - before[name] for name in after if name.startswith("drop_")}
        said_to_all = ("drop_eth_not_ours", "drop_ip_not_ours")  # by the kernel at the other end
        unlike = {name: k for name, k in drops.items() if k != 0 and name not in said_to_all}
        # What the kernel sends again on a busy machine, and what crosses the end of its connection.
        for name in ("drop_tcp_window", "drop_tcp_no_conn"):
            self.assertLess(unlike.pop(name, 0), n)
        self.assertEqual(unlike, {"drop_idle": len(PHASES) * n + 2 * n})
        self.assertEqual(after["tcp_opened"] - before["tcp_opened"], len(held))
        for s in held:
            s.close()
        good.close()
        wait_for("all slots and buffers back", lambda: all(self.stats()[name] == 0 for name in (
            "now_conns", "now_tcp_slots", "now_tcp_buffers", "now_rx_buffers")), 120)

    def stats(self):
        return {name: sum(per_worker) for name, per_worker in self.lab.counters().items()}


if __name__ == "__main__":
    main()
