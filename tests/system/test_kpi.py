# SPDX-License-Identifier: BSD-3-Clause
"""One attempt of each kind, and what `regatectl metrics` and the audit log say of it."""

import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import BUILD, GATEWAY_HOST, wait_for  # noqa: E402
from wic import Closed, Sip, Ws, delete_lease, lease  # noqa: E402

SAMPLE = re.compile(r'(regate_[a-zA-Z0-9_]+)((?:\{(?:[a-z]+="[^"\n]*",?)+\})?) (\d+(?:\.\d+)?)')


class Kpi(GatewayCase):
    lab_args = {
        "accounts": ["deny1"],  # whom the core refuses
        "core_args": ["--min-expires", "20", "--max-expires", "40"],
        "conf": {
            "registration": {"client_max": "10s", "client_min": "10s", "guard": "1s", "cseq": "strict",
                             "rate": "5", "rate_burst": "15"},
            "wwsfs": f"\n  - id: demo\n    origins: [\"https://{GATEWAY_HOST}\"]"
                     "\n  - id: other\n    origins: [\"https://other.example\"]",
            "log": {"level": "info", "audit": "all"},
        }}

    def metrics(self):
        """All samples by name and labels; the text keeps to OpenMetrics."""
        text = subprocess.run([BUILD + "/controlplane/cli/regatectl", "--socket", self.lab.path("ctl.sock"),
                               "metrics"], capture_output=True, text=True, check=True, timeout=10).stdout
        self.assertTrue(text.endswith("# EOF\n"))
        samples, families, family = {}, [], None
        for line in text.splitlines()[:-1]:
            if line.startswith("# TYPE "):
                family = line.split()[2]
                self.assertNotIn(family, families)
                families.append(family)
            elif not line.startswith("# HELP "):
                m = SAMPLE.fullmatch(line)
                self.assertIsNotNone(m, line)
                self.assertTrue(m[1].startswith(family), line)
                self.assertNotIn(m[1] + m[2], samples)
                samples[m[1] + m[2]] = float(m[3])
        return samples

    def audits(self):
        return [x for x in self.lab.log("regated").splitlines() if "msg=audit.register" in x]

    def counts(self, what, act):
        """act() adds exactly this to registrations, rules and tokens: {name: difference}."""
        before, n_audits = self.metrics(), len(self.audits())
        act()
        after = self.metrics()
        watched = re.compile("regate_UR|regate_regate|regate_worker_(why|reg_)|regate_token|regate_safety")
        got = {k: int(v - before.get(k, 0)) for k, v in after.items()
               if watched.match(k) and v != before.get(k, 0)}
        self.assertEqual(got, {"regate_" + k: n for k, n in what.items()})
        punted = got.get("regate_worker_reg_punted_total", 0)
        self.assertEqual(len(self.audits()) - n_audits, punted)

    def passed_on(self, why, kind, labels, cause=None, **more):
        """What one REGISTER counts that a worker passed on."""
        end = f'Fail{kind}_total{{{labels},cause="{cause}"}}' if cause else f"Succ{kind}_total{{{labels}}}"
        return {"worker_reg_punted_total": 1, f"worker_why_{why}_total": 1,
                f"UR_Att{kind}_total{{{labels}}}": 1, f"UR_{end}": 1, **more}

    def refused(self, why):
        return {"worker_reg_refused_total": 1, f"worker_why_{why}_total": 1}

    def says(self, sip, status, **kw):
        self.assertEqual(sip.register(**kw).status, status)

    def test_each_kind(self):
        core = 'scenario="anonymous",source="core"'
        started = time.monotonic()
        given = lease()
        with Ws() as ws, Ws() as bare, Ws(origin="https://other.example") as other:
            due = Sip(ws, given)
            self.counts(self.passed_on("initial", "InitReg", core), lambda: self.says(due, 200))
            self.counts({"worker_reg_local_ok_total": 1}, lambda: self.says(due, 200))
            self.counts(self.refused("cseq"), lambda: self.says(due, 500, cseq=1))
            due.cseq = 2
            self.counts(self.refused("identity"), lambda: self.says(due, 403, to="sip:x@ims.example.net"))
            no = Sip(bare, given, token=None)
            self.counts(self.refused("no_token"), lambda: self.says(no, 401))
            no.token = "abc"
            self.counts(self.refused("bad_token"), lambda: self.says(no, 401))
            no.token = "a.b.c"
            none = 'scenario="none",source="local"'
            self.counts(self.passed_on("token_new", "InitReg", none, 401,
                                       **{'token_verified_total{reason="no-lease"}': 1}),
                        lambda: self.says(no, 401))
            no.token = given["token"]
            self.counts(self.refused("two_tokens"),
                        lambda: self.says(no, 400, extra=f"Authorization: Bearer {given['token']}\r\n"))
            self.counts(self.refused("foreign_page"), lambda: self.says(Sip(other, given), 403))
            alice = Sip(bare, lease(account="alice", password="correct horse"))
            account = core.replace("anonymous", "account")
            self.counts(self.passed_on("initial", "InitReg", account), lambda: self.says(alice, 200))
            alice.host = "new" + alice.host
            self.counts(self.passed_on("changed", "ReReg", account), lambda: self.says(alice, 200))
            self.counts(self.passed_on("dereg", "DeRegUe", account), lambda: self.says(alice, 200, expires=0))
            self.counts(self.passed_on("dereg", "DeRegUe", account.replace("core", "local")),
                        lambda: self.says(alice, 200, expires=0))

            deny = Sip(bare, lease(account="deny1", password="correct horse"))
            self.counts(self.passed_on("initial", "InitReg", account, 403), lambda: self.says(deny, 403))

            def moves():
                with Ws() as there:
                    due.ws = there
                    self.says(due, 200)
                    with self.assertRaises(Closed):
                        ws.recv()
            self.counts({"worker_reg_local_ok_total": 1, "worker_reg_moved_total": 1}, moves)
            self.core_due(due, started)
            self.leaves(core)
            self.too_fast()
        text = self.lab.log("regated")
        self.assertNotIn(given["token"], text)
        self.assertNotIn(given["token"].split(".")[2], text)
        self.assertIn('origin=demo', self.audits()[0])
        self.assertIn(given["impu"], self.audits()[0])
        m = self.metrics()
        self.assertEqual(m["regate_safety_double_leases_total"], 0)
        n_ok = sum(v for k, v in m.items() if re.match("regate_UR_Succ(Init|Re)Reg_total", k))
        self.assertEqual(sum(m[f'regate_RRD_seconds_count{{source="{s}"}}'] for s in ("core", "local")), n_ok)
        self.assertGreaterEqual(m['regate_pool_pairs{pool="demo",state="registered"}'], 1)

    def core_due(self, sip, started):
        """Rule 11: past half of the core's 40 s the core is asked behind a local answer."""
        with Ws() as ws:
            sip.ws = ws
            self.says(sip, 200)
            while time.monotonic() < started + 21:
                time.sleep(4)
                self.says(sip, 200)
            wait_for("refresh behind", lambda: any(
                v for k, v in self.metrics().items() if k.startswith("regate_regate_SuccReRegGw")), 5)
            self.assertEqual(self.metrics()["regate_worker_reg_core_due_total"], 1)

    def leaves(self, core):
        """A lease that is given back ends in the core."""
        given = lease()
        with Ws() as ws:
            self.says(Sip(ws, given), 200)
            before = self.metrics()
            self.assertEqual(delete_lease(given["token"]).status, 202)
            name = f"regate_regate_SuccDeRegGw_total{{{core}}}"
            wait_for("de-registration", lambda: self.metrics()[name] == before[name] + 1, 5)
            self.assertEqual(self.metrics()["regate_safety_early_releases_total"],
                             before["regate_safety_early_releases_total"] + 1)

    def too_fast(self):
        """Rule 2: one 503, then silence."""
        before = self.metrics()["regate_worker_drop_rate_total"]
        with Ws() as ws:
            sip = Sip(ws, lease())
            for _ in range(20):
                ws.send(sip.register_text())
            wait_for("drops", lambda: self.metrics()["regate_worker_drop_rate_total"] > before, 5)


if __name__ == "__main__":
    main()
