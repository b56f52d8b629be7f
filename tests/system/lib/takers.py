# SPDX-License-Identifier: BSD-3-Clause
"""Clients that take leases, register, renew and end them while the gateway is killed again and again:
what it acknowledged must be known ever after, and nobody gets what somebody has."""

import random
import threading

import wic
from wic import Closed, Sip, Ws, delete_lease, http, lease


class Takers:
    def __init__(self, n, seed):
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.idle = {}  # IMPU: acknowledged and not asked to end, in no thread's hands
        self.held = set()  # the same, in a thread's hands
        self.errors = []
        self.n_acknowledged = self.n_checked = 0
        wic.TIMEOUT_S = 2  # who is gone is gone
        self.threads = [threading.Thread(target=self.run, args=(random.Random(seed + i),))
                        for i in range(n)]
        for t in self.threads:
            t.start()

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()
        wic.TIMEOUT_S = 10

    def fail(self, text):
        with self.lock:
            self.errors.append(text)

    def run(self, rng):
        while not self.stopping.is_set() and not self.errors:
            given = None
            try:
                given = self.pick(rng) or self.take()
                given = given and self.use(given, rng)
            except (OSError, Closed):
                self.stopping.wait(0.02)  # killed under way: what was acknowledged before counts
            except Exception as e:  # noqa: BLE001 - whatever it was is the result
                self.fail(repr(e))
            finally:
                self.put_back(given)

    def pick(self, rng):
        with self.lock:
            if len(self.idle) < 8 or rng.random() < 0.5:
                return None
            given = self.idle.pop(rng.choice(list(self.idle)))
            self.held.add(given["impu"])
            return given

    def put_back(self, given):
        with self.lock:
            if given and given["impu"] in self.held:
                self.held.remove(given["impu"])
                self.idle[given["impu"]] = given

    def take(self):
        try:
            given = lease()
        except AssertionError as e:
            if "503" not in str(e):
                raise
            self.stopping.wait(0.05)  # the pool is dry, or the store was not ready
            return None
        with self.lock:
            if given["impu"] in self.idle or given["impu"] in self.held:
                self.errors.append(f"{given['impu']} was given twice")
            self.held.add(given["impu"])
            self.n_acknowledged += 1
        return given

    def renew(self, given):
        answer = http("POST", "/v1/lease/refresh", {},
                      headers={"Authorization": f"Bearer {given['token']}"})
        if answer.status == 503:
            return
        renewed = answer.json()
        if answer.status != 200 or renewed.get("impu") != given["impu"]:
            raise AssertionError(f"{given['impu']} was lost: {answer.status} {renewed}")
        given.update(renewed)
        with self.lock:
            self.n_checked += 1

    def use(self, given, rng):
        """Given as it is held afterwards; changed in place, so that an exception loses nothing."""
        try:
            self.renew(given)
            with Ws() as ws:
                sip = Sip(ws, given)
                status = sip.register().status
                if status in (401, 403):
                    self.fail(f"{given['impu']} was refused: {status}")
                what = rng.random()
                if what < 0.2:
                    sip.register(expires=0)
                elif what < 0.6:
                    with self.lock:
                        self.held.remove(given["impu"])  # from here on anything goes
                    delete_lease(given["token"])
        except (OSError, Closed):
            pass
        return given

    def check(self, case, n=200):
        """Every lease that was acknowledged and not ended is there."""
        case.assertEqual(self.errors, [])
        case.assertGreater(self.n_acknowledged, 0)
        for given in list(self.idle.values())[-n:]:
            self.renew(given)
