# SPDX-License-Identifier: BSD-3-Clause
"""An etcd cluster for tests, benchmarks and trials: members on loopback or in network namespaces of the
caller's, ports of their own, everything in one folder. A member is ended by its process id."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from lab import PR_SET_PDEATHSIG, LabError, libc

MEMORY = "400MiB"  # of one member's heap; more than that and Go collects harder
QUOTA = 512 << 20  # bytes of one member's database; then it takes no more writes
READY_S = 20.0


def free_ports(n):
    """n ports of loopback that nobody listens on now."""
    socks = []
    for _ in range(n):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        socks.append(s)
    ports = [s.getsockname()[1] for s in socks]
    for s in socks:
        s.close()
    return ports


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # it may be stopped


class Member:
    def __init__(self, folder, conf):
        self.folder = folder
        self.conf = conf
        self.proc = None  # when this process started it

    @property
    def url(self):
        return self.conf["client"]

    @property
    def pid(self):
        """Process id, or None when it does not run."""
        if self.proc is not None:
            return self.proc.pid if self.proc.poll() is None else None
        try:
            with open(f"{self.folder}/pid") as f:
                pid = int(f.read())
            with open(f"/proc/{pid}/cmdline") as f:
                return pid if f"{self.folder}/data" in f.read() else None
        except (OSError, ValueError):
            return None

    def start(self, cluster, is_ours):
        """is_ours: it ends with this process."""
        if self.pid is not None:
            return
        c = self.conf
        command = ["etcd", "--name", c["name"], "--data-dir", f"{self.folder}/data",
                   "--listen-client-urls", c["client"], "--advertise-client-urls", c["client"],
                   "--listen-peer-urls", c["peer"], "--initial-advertise-peer-urls", c["peer"],
                   "--initial-cluster", ",".join(f"{m['name']}={m['peer']}" for m in cluster["members"]),
                   "--initial-cluster-token", cluster["token"], "--logger", "zap", "--log-level", "warn",
                   "--quota-backend-bytes", str(QUOTA)] + cluster["options"]
        if c["netns"]:
            command = ["nsenter", f"--net={c['netns']}"] + command
        with open(f"{self.folder}/log", "ab") as log:
            self.proc = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, "GOMEMLIMIT": MEMORY},
                start_new_session=not is_ours, preexec_fn=die_with_parent if is_ours else None)
        with open(f"{self.folder}/pid", "w") as f:
            f.write(f"{self.proc.pid}\n")

    def end(self, sig=signal.SIGTERM):
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, sig)
        if sig != signal.SIGKILL:
            os.kill(pid, signal.SIGCONT)
        end = time.monotonic() + 10
        while self.pid is not None:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def ask(self, path, body=None, timeout=1.0, context=None):
        """JSON of one request to this member; None when it gives none."""
        try:
            data = None if body is None else json.dumps(body).encode()
            with urllib.request.urlopen(self.url + path, data=data, timeout=timeout,
                                        context=context) as r:
                return json.load(r)
        except (OSError, ValueError):
            return None

    def status(self):
        """What it says about itself: leader, header.member_id, ..."""
        return self.ask("/v3/maintenance/status", {})

    def is_leader(self):
        s = self.status()
        return s is not None and s.get("leader") == s["header"]["member_id"]

    def last_words(self):
        with open(f"{self.folder}/log", errors="replace") as f:
            lines = f.read().splitlines()
        return lines[-1] if lines else "it wrote nothing"


class Cluster:
    def __init__(self, folder, is_ours=True):
        self.folder = os.path.abspath(folder)
        self.is_ours = is_ours
        self.members = []

    def create(self, n=3, addresses=None, netns=None, options=(), scheme="http"):
        """addresses, netns (paths such as /proc/PID/ns/net): one per member."""
        if shutil.which("etcd") is None:
            raise LabError("etcd is not installed; scripts/setup installs it")
        if n < 1 or n > 9:
            raise LabError(f"{n} members: 1 to 9 are possible, 3 survive the loss of one")
        addresses = addresses or ["127.0.0.1"] * n
        netns = netns or [None] * n
        ports = free_ports(2 * n)
        conf = {"token": os.urandom(8).hex(), "options": list(options), "members": [
            {"name": f"m{i}", "netns": netns[i],
             "client": f"{scheme}://{addresses[i]}:{ports[2 * i]}",
             "peer": f"http://{addresses[i]}:{ports[2 * i + 1]}"} for i in range(n)]}
        os.makedirs(self.folder, exist_ok=True)
        with open(f"{self.folder}/cluster.json", "w") as f:
            json.dump(conf, f, indent=1)
        for m in conf["members"]:
            os.makedirs(f"{self.folder}/{m['name']}", mode=0o700, exist_ok=True)

    def load(self):
        try:
            with open(f"{self.folder}/cluster.json") as f:
                self.conf = json.load(f)
        except FileNotFoundError:
            raise LabError(f"{self.folder}: no cluster there; scripts/etcd start makes one") from None
        self.members = [Member(f"{self.folder}/{m['name']}", m) for m in self.conf["members"]]

    def start(self, **args):
        """Makes the cluster when there is none, starts what does not run, waits until it serves."""
        if not os.path.exists(f"{self.folder}/cluster.json"):
            self.create(**args)
        if not self.members:
            self.load()
        for m in self.members:
            m.start(self.conf, self.is_ours)
        try:
            self.wait_ready()
        except LabError:
            self.stop()
            raise

    def wait_ready(self, timeout=READY_S):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for m in self.members:
                if m.pid is None:
                    raise LabError(f"{m.folder}: etcd ended at once: {m.last_words()}")
            if self.conf["members"][0]["client"].startswith("https"):
                if all(self.listens(m) for m in self.members):
                    return
            elif all((m.status() or {}).get("leader", "0") != "0" for m in self.members):
                return
            time.sleep(0.05)
        raise LabError(f"{self.folder}: etcd does not serve within {timeout:g} s; see the logs there")

    @staticmethod
    def listens(m):
        host, _, port = m.url.partition("://")[2].rpartition(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        for m in self.members:
            m.end()

    def leader(self):
        return next((m for m in self.members if m.is_leader()), None)

    @property
    def endpoints(self):
        return [m.url for m in self.members]
