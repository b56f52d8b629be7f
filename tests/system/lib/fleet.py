# SPDX-License-Identifier: BSD-3-Clause
"""Several gateways on one etcd: one namespace with a TAP port and a network per gateway, one core, members
of etcd in namespaces of their own. Clients that lease, register and refresh, and the judge of what
they were answered."""

import base64
import json
import os
import signal
import socket
import subprocess
import threading
import time

from etcd_bed import Members, now
from lab import BUILD, Lab, LabError, sh, wait_for
from wic import Closed, Sip, Ws, http, tls_context

POOL = 1000


class Gateway:
    """One of them. It runs in the fleet's folder; its files end in its number."""

    def __init__(self, fleet, i):
        self.fleet, self.i = fleet, i
        self.iface, self.address, self.name = f"dtap{i}", f"10.77.{i}.2", f"gw{i}"
        self.proc = None

    def make_conf(self):
        lab = self.fleet
        lab.opts["port"] = f"net_tap{self.i},iface={self.iface}"
        lab.conf_over = {
            **lab.more_conf,
            "dataplane": {"address": f"{self.address}/24", "mac": f"02:00:00:00:00:{0x90 + self.i:x}",
                          "hugepages": "no"},
            "gateway": {"id": self.name}, "ctl": {"socket": f"ctl-{self.i}.sock"},
            "core": {"host": f"{self.name}.ims.example.net:5060"},
            "store": {"path": None, "type": "etcd", "endpoints": "[" + ", ".join(
                f'"{e}"' for e in lab.members.cluster.endpoints) + "]"}}
        os.rename(lab.make_conf(), lab.path(f"gw-{self.i}.yaml"))

    def start(self, wait=True):
        self.proc = self.fleet.start(f"gw-{self.i}", [BUILD + "/controlplane/regated", "--config",
                                                      self.fleet.path(f"gw-{self.i}.yaml")])
        if wait:
            self.wait_start()

    def wait_start(self):
        wait_for(f"start of {self.name}", self.is_ready, 30)
        if subprocess.run(["ip", "-o", "addr", "show", "dev", self.iface], capture_output=True,
                          text=True).stdout.find(" inet ") < 0:
            sh("ip", "addr", "add", f"10.77.{self.i}.1/24", "dev", self.iface)
        sh("ip", "link", "set", self.iface, "up")

    def is_ready(self):
        if self.proc.poll() is not None:
            raise LabError(f"{self.name} ended with {self.proc.returncode}: {self.log()[-800:]}")
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.fleet.path(f"ctl-{self.i}.sock")) == 0

    def log(self):
        return self.fleet.log(f"gw-{self.i}")

    def kill(self):
        self.fleet.stop(self.proc, signal.SIGKILL)

    def ctl(self, *args):
        out = subprocess.run([BUILD + "/controlplane/cli/regatectl", "--socket",
                              self.fleet.path(f"ctl-{self.i}.sock"), "--json", *args],
                             capture_output=True, text=True, timeout=10)
        if out.returncode != 0:
            raise LabError(f"{self.name}: regatectl {' '.join(args)}: {out.stderr}{out.stdout}")
        return json.loads(out.stdout)["data"]

    def shown(self, given):
        return self.ctl("lease", "show", given["impu"])

    def counter(self, name):
        return sum(next(c["per_worker"] for c in self.ctl("stats", "--all")["counters"]
                        if c["name"] == name))

    # --- as a client

    def connect(self, timeout=10):
        raw = socket.create_connection((self.address, 443), timeout=timeout)
        return tls_context().wrap_socket(raw)

    def ask(self, method, path, body=None, headers=None, timeout=10):
        sock = self.connect(timeout)
        try:
            return http(method, path, body, headers, sock)
        finally:
            sock.close()

    def lease(self):
        answer = self.ask("POST", "/v1/lease", {"anonymous": True})
        assert answer.status == 201, (self.name, answer.status, answer.body)
        return answer.json()

    def revoke(self, given):
        return self.ask("DELETE", "/v1/lease",
                        headers={"Authorization": f"Bearer {given['token']}"}).status

    def ws(self):
        return Ws(sock=self.connect())

    def registered(self, given):
        """A client of that lease: its Sip, with a connection of its own."""
        sip = Sip(self.ws(), given)
        answer = sip.register()
        assert answer.status == 200, (self.name, answer.text)
        return sip


class Fleet(Lab):
    """conf: {section: {key: value}} of all gateways."""

    def __init__(self, n, pool=POOL, conf=None):
        super().__init__(pool=pool)
        self.more_conf = conf or {}
        self.members = None
        self.gateways = [Gateway(self, i) for i in range(n)]

    def up(self):
        from lab import enter_new_netns
        enter_new_netns()
        self.make_keys()
        self.make_identities()
        self.members = Members(self.path("etcd"))
        self.start_core()
        for g in self.gateways:
            g.make_conf()
            g.start(wait=False)
        for g in self.gateways:
            g.wait_start()

    def down(self):
        for g in self.gateways:
            self.stop(g.proc)
        if self.members is not None:
            self.members.stop()
        super().down()

    def etcd_records(self):
        """{impu: record} as etcd has them; fields as in store/etcd_record.h."""
        names = ("impu", "pool", "sub", "gateway", "gen", "state", "flags", "scenario", "granted", "ended",
                 "reassign", "end0", "digest0", "end1", "digest1", "author", "seq")
        def b64(s):
            return base64.b64encode(s).decode()
        found = wait_for("etcd's answer", lambda: self.members.all[0].ask(
            "/v3/kv/range", {"key": b64(b"/regate/lease/"), "range_end": b64(b"/regate/lease0")}, timeout=20))
        records = {}
        for kv in found.get("kvs", []):
            fields = base64.b64decode(kv["value"]).decode().split("\t")[1:]
            record = dict(zip(names, fields))
            records[record["impu"]] = record
        return records


def gen_of(given):
    """Generation that a token names."""
    claims = given["token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["ims"]["gen"]


class Leaser(threading.Thread):
    """Takes leases from one gateway, one after the other, and gives some back."""

    def __init__(self, gateway, pause=0.02, keep=5):
        super().__init__(daemon=True)
        self.gateway, self.pause, self.keep = gateway, pause, keep
        self.is_over = False
        self.grants = []   # [asked, answered, impu, gen, given back from ns on]
        self.refusals = []  # [asked, status]
        self.faults = []

    def run(self):
        held = []
        while not self.is_over:
            asked = now()
            try:
                answer = self.gateway.ask("POST", "/v1/lease", {"anonymous": True})
                if answer.status == 201:
                    given = answer.json()
                    self.grants.append([asked, now(), given["impu"], gen_of(given), 1 << 62])
                    held.append((given, self.grants[-1]))
                else:
                    self.refusals.append((asked, answer.status))
                if len(held) > self.keep:
                    given, grant = held.pop(0)
                    grant[4] = now()
                    self.gateway.revoke(given)
            except (OSError, ConnectionError) as e:
                self.faults.append(f"{self.gateway.name}: {e!r}")
            time.sleep(self.pause)

    def end(self):
        self.is_over = True
        self.join(30)

    def granted_after(self, t):
        """When the first answer came to what was asked after t; None: not yet."""
        return next((g[1] for g in self.grants[-200:] if g[0] > t), None)


class Refresher(threading.Thread):
    """Clients of one gateway that stay registered and refresh."""

    def __init__(self, gateway, n, pause=0.2):
        super().__init__(daemon=True)
        self.gateway, self.pause = gateway, pause
        self.sips = [gateway.registered(gateway.lease()) for _ in range(n)]
        self.is_over = False
        self.n_good, self.faults = 0, []

    def run(self):
        while not self.is_over:
            for sip in self.sips:
                try:
                    answer = sip.register()
                    self.n_good += answer.status == 200
                    if answer.status != 200:
                        self.faults.append(f"{self.gateway.name}: {sip.impu}: {answer.status}")
                except (OSError, Closed) as e:
                    self.faults.append(f"{self.gateway.name}: {sip.impu}: {e!r}")
                    return
            time.sleep(self.pause)

    def end(self):
        self.is_over = True
        self.join(30)


def given_twice(grants, records):
    """Everything that may not be, as lines. grants: as of Leaser.grants, of all gateways."""
    faults = []
    by_pair = {}
    for g in grants:
        by_pair.setdefault(g[2], []).append(g)
    for impu, spans in by_pair.items():
        spans.sort(key=lambda g: g[3])
        for a, b in zip(spans, spans[1:]):
            if a[3] == b[3]:
                faults.append(f"{impu}: generation {a[3]} was given twice")
            elif a[4] > b[1]:
                faults.append(f"{impu}: generation {b[3]} was given while {a[3]} was held")
        last = spans[-1]
        there = records.get(impu)
        if there is None or int(there["gen"]) < last[3]:
            faults.append(f"{impu}: generation {last[3]} was given, etcd has {there and there['gen']}")
    return faults
