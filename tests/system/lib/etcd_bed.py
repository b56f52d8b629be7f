# SPDX-License-Identifier: BSD-3-Clause
"""An etcd cluster whose members live in network namespaces of their own, clients of the store under
load, and the judge of what the clients say (store_load.c)."""

import os
import random
import signal
import subprocess
import threading
import time
from collections import defaultdict

from etcd_lab import Cluster
from lab import BUILD, die_with_parent, sh, wait_for

LOAD = os.path.join(BUILD, "tests/system/store_load")
NET = "10.9.0"


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Members:
    """Three members, each in a namespace, on one bridge with the clients."""

    def __init__(self, folder, n=3):
        sh("ip", "link", "add", "br0", "type", "bridge")
        sh("ip", "addr", "add", f"{NET}.1/24", "dev", "br0")
        sh("ip", "link", "set", "br0", "up")
        self.holders = []
        for i in range(n):
            holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"],
                                      preexec_fn=die_with_parent)
            self.holders.append(holder)
            ours = os.stat("/proc/self/ns/net").st_ino
            wait_for("a namespace", lambda h=holder: os.stat(f"/proc/{h.pid}/ns/net").st_ino != ours)
            sh("ip", "link", "add", f"v{i}", "type", "veth", "peer", "name", "eth0", "netns",
               str(holder.pid))
            sh("ip", "link", "set", f"v{i}", "master", "br0", "up")
            self.inside(i, "ip", "link", "set", "lo", "up")
            self.inside(i, "ip", "addr", "add", f"{self.address(i)}/24", "dev", "eth0")
            self.inside(i, "ip", "link", "set", "eth0", "up")
        self.cluster = Cluster(folder)
        self.cluster.start(n=n, addresses=[self.address(i) for i in range(n)],
                           netns=[f"/proc/{h.pid}/ns/net" for h in self.holders])
        self.all = self.cluster.members

    @staticmethod
    def address(i):
        return f"{NET}.{11 + i}"

    def inside(self, i, *command):
        sh("nsenter", f"--net=/proc/{self.holders[i].pid}/ns/net", *command)

    def cut(self, i, hooks=("input", "output"), clients=False):
        """Drops what member i and the others (and the clients) send each other."""
        whom = [self.address(k) for k in range(len(self.all)) if k != i]
        if clients:
            whom.append(f"{NET}.1")
        self.inside(i, "nft", "add table inet cut")
        for hook in hooks:
            self.inside(i, "nft", f"add chain inet cut {hook} {{ type filter hook {hook} priority 0; }}")
            side = "saddr" if hook == "input" else "daddr"
            self.inside(i, "nft", f"add rule inet cut {hook} ip {side} {{ {', '.join(whom)} }} drop")

    def mend(self, i):
        self.inside(i, "nft", "delete table inet cut")

    def stop(self):
        self.cluster.stop()
        for h in self.holders:
            h.kill()
            h.wait()


class Client:
    """One store_load; its lines are kept."""

    def __init__(self, name, endpoints, prefix, pairs, depth):
        self.name = name
        self.lines = []
        self.proc = subprocess.Popen([LOAD, ",".join(endpoints), prefix, name, str(pairs), str(depth)],
                                     stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        wait_for("a client's start", lambda: self.lines or self.proc.poll() is not None)

    def read(self):
        for line in self.proc.stdout:
            self.lines.append(line.split())

    def tell_end(self):
        """It writes no more, and waits a while for what others wrote."""
        self.proc.send_signal(signal.SIGTERM)

    def wait_end(self, timeout=60):
        self.proc.wait(timeout)
        self.thread.join()
        return self.proc.returncode

    def grants(self):
        """Acknowledged: (impi, gen, sub, sent, done)."""
        return [(w[2], int(w[3]), w[4], int(w[5]), int(w[6])) for w in self.lines
                if w[0] == "A" and w[1] == "g"]

    def view(self):
        return {w[1]: tuple(w[2:]) for w in self.lines if w[0] == "V"}


class Judge:
    """Everything that may not be, as lines."""

    def __init__(self, clients, final):
        self.clients = clients
        self.final = final  # view of one that loaded it all afterwards
        self.faults = []

    def check(self):
        self.no_pair_twice()
        self.nothing_lost()
        self.watch_missed_nothing()
        for c in self.clients:
            self.faults += [" ".join(w) for w in c.lines if w[0] == "B"]
        return self.faults

    def no_pair_twice(self):
        holds = defaultdict(list)  # impi: [from, to, sub]
        for c in self.clients:
            first_back = {}  # from when it was to be taken back the client has it no more
            for w in c.lines:
                if w[0] in "AUC" and w[1] == "r":
                    first_back[w[4]] = min(int(w[5]), first_back.get(w[4], 1 << 62))
            for impi, gen, sub, _, done in c.grants():
                holds[impi].append((done, first_back.get(sub, 1 << 62), gen, sub))
        for impi, spans in holds.items():
            gens = [s[2] for s in spans]
            if len(set(gens)) != len(gens):
                self.faults.append(f"{impi}: a generation was given twice: {sorted(gens)}")
            spans.sort()
            for a, b in zip(spans, spans[1:]):
                if a[1] > b[0]:
                    self.faults.append(f"{impi}: {b[3]} had it while {a[3]} did")

    def nothing_lost(self):
        last = {}
        for c in self.clients:
            for w in c.lines:
                if w[0] == "A":
                    key = (int(w[3]), int(w[6]))
                    if key > last.get(w[2], ((0, 0), ""))[0]:
                        last[w[2]] = (key, w[4])
        for impi, ((gen, _), sub) in last.items():
            there = self.final.get(impi)
            if there is None or int(there[0]) < gen or (int(there[0]) == gen and there[1] != sub):
                self.faults.append(f"{impi}: generation {gen} of {sub} was acknowledged, there is {there}")

    def watch_missed_nothing(self):
        for c in self.clients:
            for impi, seen in c.view().items():
                if seen != self.final.get(impi):
                    self.faults.append(f"{impi}: {c.name} knows {seen}, there is {self.final.get(impi)}")


class Chaos:
    """Faults of the leader, one per cycle, and how long until clients are answered again."""

    KINDS = ("kill", "stop", "cut", "cut_all", "cut_in", "cut_out", "lag")

    def __init__(self, members, clients, seed):
        self.members = members
        self.clients = clients
        self.random = random.Random(seed)
        self.gaps = []  # [kind, ms from a leader being there to the first acknowledgement, outage ms]

    def leader(self, but=None):
        return next((i for i, m in enumerate(self.members.all) if i != but and m.is_leader()), None)

    def wait_leader(self, but=None):
        i = wait_for("a leader", lambda: [k for k in [self.leader(but)] if k is not None], 30)[0]
        return i, now()

    def acknowledged_after(self, t):
        """When each client was answered for something sent later than t."""
        def first():
            found = []
            for c in self.clients:
                for w in reversed(c.lines[-400:]):
                    if w[0] == "A" and int(w[5]) > t:
                        found.append(int(w[6]))
                        break
            return found if len(found) == len(self.clients) else None
        wait_for("an acknowledgement for every client", first, 30)
        firsts = []
        for c in self.clients:
            done = [int(w[6]) for w in list(c.lines) if w[0] == "A" and int(w[6]) > t]
            firsts.append(min(done))
        return max(firsts)

    def lag(self):
        """One client sleeps while all members restart and forget what it has not been told."""
        sleeper = self.random.choice(self.clients).proc
        self.sleep(sleeper)
        sleeper.send_signal(signal.SIGCONT)
        self.acknowledged_after(now())

    def sleep(self, sleeper):
        sleeper.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        for m in self.members.all:
            os.kill(m.pid, signal.SIGKILL)
            wait_for("its end", lambda m=m: m.pid is None)
            m.start(self.members.cluster.conf, True)
            self.members.cluster.wait_ready()
        revision = int(self.members.all[0].status()["header"]["revision"])
        self.members.all[0].ask("/v3/kv/compaction", {"revision": str(revision)}, timeout=5)

    def cycle(self, kind):
        if kind == "lag":
            return self.lag()
        bad, _ = self.wait_leader()
        member = self.members.all[bad]
        t = now()
        if kind == "kill":
            os.kill(member.pid, signal.SIGKILL)
        elif kind == "stop":
            os.kill(member.pid, signal.SIGSTOP)
        else:
            self.members.cut(bad, {"cut_in": ("input",), "cut_out": ("output",)}.get(
                kind, ("input", "output")), clients=kind == "cut_all")
        _, there = self.wait_leader(bad)
        back = self.acknowledged_after(there)
        self.gaps.append((kind, (back - there) / 1e6, (there - t) / 1e6))
        time.sleep(self.random.uniform(0, 1))
        if kind == "kill":
            wait_for("its end", lambda: member.pid is None)
            member.start(self.members.cluster.conf, True)
        elif kind == "stop":
            os.kill(member.pid, signal.SIGCONT)
        else:
            self.members.mend(bad)
        wait_for("the member's return", lambda: (member.status() or {}).get("leader", "0") != "0", 30)
        self.acknowledged_after(now())
