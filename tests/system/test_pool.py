# SPDX-License-Identifier: BSD-3-Clause
"""Pairs that come and go over the operator's socket, while clients are served; quotas of guests."""

import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from herd import Refreshers  # noqa: E402
from lab import BUILD, DOMAIN, GATEWAY_HOST, wait_for  # noqa: E402
from wic import Sip, Ws, delete_lease, http, lease  # noqa: E402

POOLS = ("\n  - {name: demo, wwsf: demo, anonymous: allow}"
         "\n  - {name: spare, wwsf: demo, file: pool.txt, reserve: 10}")


def pairs(name, n):
    return [f"{name}-{i:06d}@{DOMAIN},sip:{name}-{i:06d}@{DOMAIN}" for i in range(n)]


class PoolCase(GatewayCase):
    def cli(self, *args, **kw):
        return subprocess.Popen([BUILD + "/controlplane/cli/regatectl", "--socket",
                                 self.lab.path("ctl.sock"), *args], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **kw)

    def run_cli(self, code, *args):
        proc = self.cli(*args)
        out, err = proc.communicate(timeout=100)
        self.assertEqual(proc.returncode, code, out + err)
        return out, err

    def file(self, name, lines):
        return self.lab.write(name, "impi,impu\n" + "\n".join(lines) + "\n")

    def exported(self, pool):
        name = self.lab.path(f"out-{time.monotonic_ns()}.csv")
        self.run_cli(0, "pool", "export", pool, name)
        with open(name) as f:
            lines = f.read().splitlines()
        self.assertEqual(lines[0], "impi,impu")
        return lines[1:]

    def restart(self, sig=signal.SIGTERM):
        self.lab.stop(self.lab.regated, sig)
        self.lab.start_regated()


class Import(PoolCase):
    lab_args = {"conf": {"pools": POOLS}}

    def test_1_import_under_load(self):
        want = pairs("big", 100000)
        first = self.file("first.csv", want[:50])
        self.run_cli(0, "pool", "import", "demo", first)
        given = lease()
        self.assertIn(f"{given['impi']},{given['impu']}", want[:50])
        herd = Refreshers(10, 0.06)
        try:
            out, _ = self.run_cli(0, "pool", "import", "demo", self.file("all.csv", want))
            self.assertRegex(out, "99950 new, 50 there already, 0 refused")
        finally:
            herd.close()
        self.assertEqual((herd.errors, herd.good), ([], herd.tries))
        self.assertGreater(herd.tries, 0)
        self.assertCountEqual(self.exported("demo"), want)

    def test_2_restart_keeps_them_and_their_leases(self):
        given = lease()
        self.restart()
        self.assertCountEqual(self.exported("demo"), pairs("big", 100000))
        with Ws() as ws:
            self.assertEqual(Sip(ws, given).register().status, 200)

    def test_3_killed_in_the_middle(self):
        want = pairs("more", 60000)
        path = self.file("more.csv", want)
        proc = self.cli("pool", "import", "demo", path)
        while self.lab.ctl("pool", "show", "demo")["data"]["pairs"] < 105000:
            self.assertIsNone(proc.poll())
        self.restart(signal.SIGKILL)
        proc.communicate(timeout=30)
        self.assertEqual(proc.returncode, 3)
        kept = self.exported("demo")
        self.assertEqual(set(kept) - set(want), set(pairs("big", 100000)))  # whole pairs only
        self.assertLess(len(kept), 160000)
        out, _ = self.run_cli(0, "pool", "import", "demo", path)
        self.assertRegex(out, f"{160000 - len(kept)} new, {len(kept) - 100000} there already")
        self.assertEqual(len(self.exported("demo")), 160000)

    def test_4_what_is_taken_is_refused_with_its_line(self):
        lines = [*pairs("big", 1), f"pool-00001@{DOMAIN},sip:pool-00001@{DOMAIN}",
                 f"x@{DOMAIN},sip:big-000000@{DOMAIN}", f"alice@{DOMAIN},sip:alice@{DOMAIN}", "x,y"]
        path = self.file("bad.csv", lines)
        out, err = self.run_cli(7, "pool", "import", "demo", path)
        self.assertIn("6 lines", out)
        self.assertIn("0 new, 1 there already, 4 refused", out)
        self.assertEqual([line.split(": ")[1] for line in err.splitlines()],
                         [f"{path}:{n}" for n in (3, 4, 5, 6)])

    def test_5_file_against_import(self):
        # The start ends with a line that names the pair; the file as it was starts again.
        before = self.lab.path("pool.txt")
        os.rename(before, before + ".was")
        self.lab.write("pool.txt", f"big-000007@{DOMAIN} sip:big-000007@{DOMAIN}\n")
        self.lab.stop(self.lab.regated)
        proc = subprocess.run([BUILD + "/controlplane/regated", "--config",
                               self.lab.path("regated.yaml")], capture_output=True, text=True, timeout=60)
        os.rename(before + ".was", before)
        self.assertEqual(proc.returncode, 1)
        self.assertRegex(proc.stderr, f"pair 'big-000007@{DOMAIN} .* imported into pool 'demo'.*remove it")
        self.lab.start_regated()

    def test_6_drained_pool_lets_none_out(self):
        given = lease()
        self.run_cli(0, "pool", "drain", "demo")
        for _ in range(2):  # now, and after a restart
            answer = http("POST", "/v1/lease", {"anonymous": True})
            self.assertEqual((answer.status, answer.json()["error"]), (503, "pool_dry"))
            self.assertTrue(self.lab.ctl("pool", "show", "demo")["data"]["draining"])
            with Ws() as ws:  # what is out is served
                self.assertEqual(Sip(ws, given).register().status, 200)
            self.restart()
        self.run_cli(0, "pool", "undrain", "demo")
        lease()

    def test_7_suspect_pair_and_history(self):
        given = lease()
        out, _ = self.run_cli(0, "lease", "history", given["impi"])
        self.assertIn("anon-", out)
        self.run_cli(0, "lease", "suspect", given["impu"])
        self.restart()
        listed = self.lab.ctl("lease", "list", "--suspect")["data"]["leases"]
        self.assertEqual([(p["impu"], p["suspect"]) for p in listed], [(given["impu"], "operator")])
        self.run_cli(0, "lease", "clear", given["impu"])
        self.assertEqual(self.lab.ctl("lease", "list", "--suspect")["data"]["leases"], [])

    def test_8_slow_producer_and_a_restart_between(self):
        want = "pool=demo new=1 there=0 refused=0\n"
        before = self.lab.log("regated").count(want)
        proc = self.cli("pool", "import", "demo", "-", stdin=subprocess.PIPE)
        for i, line in enumerate(pairs("slow", 3)):
            proc.stdin.write(line + "\n")
            proc.stdin.flush()
            wait_for("its end", lambda i=i: self.lab.log("regated").count(want) == before + i + 1)
            self.lab.ctl("status")  # the import was answered before
            if i == 1:
                self.restart(signal.SIGKILL)
        out, err = proc.communicate(timeout=30)
        self.assertEqual(proc.returncode, 0, err)
        self.assertIn("3 lines in", out)
        self.assertIn("3 new, 0 there already, 0 refused", out)

    def test_9_removed_pairs_stay_away(self):
        lines = pairs("gone", 5000)
        path = self.file("gone.csv", lines)
        self.run_cli(0, "pool", "import", "demo", path)
        self.assertTrue(set(lines) <= set(self.exported("demo")))
        out, _ = self.run_cli(0, "pool", "remove", "demo", path)
        self.assertIn("5000 removed, 0 not there, 0 of the refused leased, 0 refused", out)
        for _ in range(2):  # now, and after a kill
            self.assertFalse(set(lines) & set(self.exported("demo")))
            self.restart(signal.SIGKILL)
        given = lease()
        out, err = self.run_cli(7, "pool", "remove", "demo",
                                self.file("one.csv", [f"{given['impi']},{given['impu']}", lines[0]]))
        self.assertIn("0 removed, 1 not there, 1 of the refused leased, 1 refused", out)
        self.assertIn("one.csv:2: leased or in quarantine", err)
        out, _ = self.run_cli(0, "pool", "import", "demo", path)
        self.assertIn("5000 new, 0 there already", out)
        self.restart(signal.SIGKILL)
        self.assertTrue(set(lines) <= set(self.exported("demo")))


class Quotas(PoolCase):
    lab_args = {"conf": {"quotas": {"source_max": 5}}}

    def test_one_address_takes_so_many(self):
        given = [lease() for _ in range(5)]
        answer = http("POST", "/v1/lease", {"anonymous": True})
        self.assertEqual(answer.status, 429)
        self.assertEqual(answer.json()["error"], "too_many")
        self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
        stats = self.lab.ctl("stats")["data"]["wwsf"]
        self.assertEqual(stats["over_source_quota"], 1)
        self.assertEqual(self.lab.log("regated").count("wwsf.short"), 1)
        # A lease that is given back makes room, and what is there is served.
        self.assertEqual(delete_lease(given[0]["token"]).status, 202)
        lease()
        with Ws() as ws:
            self.assertEqual(Sip(ws, given[1]).register().status, 200)


class Anonymous(PoolCase):
    lab_args = {"conf": {
        "pools": "\n  - {name: shut, wwsf: shut, file: pool.txt}\n  - {name: demo, wwsf: demo, anonymous: allow}",
        "wwsfs": f"\n  - id: demo\n    origins: [\"https://{GATEWAY_HOST}\"]"
                 "\n  - {id: shut, origins: [\"https://shut.example\"]}"}}

    def free(self, pool):
        return {p["pool"]: p["free"] for p in self.lab.ctl("pool", "list")["data"]["pools"]}[pool]

    def test_t19_allow(self):
        """T19: all of it without a log-in, from the lease to its end."""
        self.run_cli(0, "pool", "import", "demo", self.file("open.csv", pairs("open", 2)))
        given = lease()
        self.assertIn("open-", given["impu"])
        with Ws() as ws:
            sip = Sip(ws, given)
            self.assertEqual([sip.register().status for _ in range(2)], [200, 200])
            shown = self.lab.ctl("lease", "show", given["impu"])["data"]
            self.assertRegex(shown["sub"], r"^anon-[0-9a-f]{16}$")
            self.assertEqual(http("POST", "/v1/lease/refresh", headers={
                "Authorization": f"Bearer {given['token']}"}).status, 200)
            self.assertEqual(sip.register(expires=0).status, 200)
        self.assertEqual(delete_lease(given["token"]).status, 202)

    def test_t19_deny(self):
        """T19: a pool denies it unless it says otherwise, to its own page and to others."""
        before = self.free("shut")
        self.assertGreater(before, 0)
        for origin, error in (("https://shut.example", "anonymous"), (f"https://{GATEWAY_HOST}", "pool")):
            answer = http("POST", "/v1/lease", {"anonymous": True, "pool": "shut"} if error == "pool"
                          else {"anonymous": True}, origin=origin)
            self.assertEqual((answer.status, answer.json()["error"]), (403, error))
        self.assertEqual(self.free("shut"), before)


if __name__ == "__main__":
    main()
