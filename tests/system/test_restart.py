# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 at any moment: every acknowledged lease is still there, and no pair was given twice."""

import os
import random
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from wic import Closed, Sip, Ws, http, lease  # noqa: E402

KILLS = 5


class Restart(GatewayCase):
    lab_args = {"pool": 4000}  # more than the clients of test_kills_under_load can take

    def kill_and_restart(self):
        self.lab.stop(self.lab.regated, signal.SIGKILL)
        self.lab.start_regated()

    def refresh(self, given):
        answer = http("POST", "/v1/lease/refresh", {},
                      headers={"Authorization": f"Bearer {given['token']}"})
        return answer.status, answer.json()

    def test_registered_lease_survives(self):
        given = lease()
        with Ws() as ws:
            sip = Sip(ws, given)
            self.assertEqual(sip.register().status, 200)
        before = self.lab.ctl("lease", "show", given["impu"])["data"]
        self.kill_and_restart()
        after = self.lab.ctl("lease", "show", given["impu"])["data"]
        for key in ("idx", "gen", "impi", "impu"):
            self.assertEqual(before[key], after[key], key)
        n = len(self.lab.core_requests())
        with Ws() as sip.ws:
            self.assertEqual(sip.register().status, 200)
        self.assertEqual(len(self.lab.core_requests()), n + 1)  # never absorbed right after a crash

    def test_kills_under_load(self):
        acknowledged, errors = {}, []
        lock = threading.Lock()
        stop = threading.Event()

        def client():
            while not stop.is_set():
                try:
                    given = lease()
                except AssertionError as e:
                    if "503" in str(e):
                        return  # the pool is dry: enough
                    errors.append(e)
                    return
                except OSError:
                    stop.wait(0.05)  # the gateway is being killed
                    continue
                with lock:
                    if given["impu"] in acknowledged:
                        errors.append(f"{given['impu']} was given twice")
                    acknowledged[given["impu"]] = given
                try:
                    use(given)
                except (OSError, Closed):
                    pass  # killed under way: what was acknowledged before counts

        def use(given):
            """Registers, and renews once while registered."""
            with Ws() as ws:
                status = Sip(ws, given).register().status
                if status in (401, 403):
                    errors.append(f"{given['impu']} was refused: {status}")
                status, renewed = self.refresh(given)
                if status == 200:
                    with lock:
                        acknowledged[given["impu"]] = renewed
                elif status != 503:
                    errors.append(f"{given['impu']} was not renewed: {status}")

        threads = [threading.Thread(target=client) for _ in range(4)]
        for t in threads:
            t.start()
        seed = random.randrange(1 << 30)
        rng = random.Random(seed)
        try:
            for _ in range(KILLS):
                stop.wait(rng.uniform(0.2, 1.0))
                self.kill_and_restart()
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(errors, [], f"seed {seed}")
        # Clients spend most of the time in their kernel's back-off: few, but some at stake each time.
        self.assertGreater(len(acknowledged), KILLS)
        for impu, given in list(acknowledged.items())[:60]:
            status, renewed = self.refresh(given)
            self.assertEqual((status, renewed.get("impu")), (200, impu), f"seed {seed}")
        states = self.lab.ctl("pool", "list")["data"]
        print(f"{len(acknowledged)} leases acknowledged over {KILLS} kills, none lost: {states}")


if __name__ == "__main__":
    main()
