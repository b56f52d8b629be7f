# SPDX-License-Identifier: BSD-3-Clause
"""What scripts/bench measures: the steps in their order, and how one step runs. Participants of one
contest take turns, so that all of them meet the same minute of the machine."""

import contextlib
import dataclasses
import json
import os
import signal
import statistics
import subprocess
import threading
import time

import lab
import peers

SAMPLE_S = 0.1
# Of the socket driver: what the clock says.
WALL_RATES = ("refreshes_per_s", "registrations_per_s", "handshakes_per_s")
STOP_S = 8
TAP_POOL = 4000
OPENED_PER_S = 700  # connections that the slowest peer takes
# Connections that a peer has room for at least: one that a client has left is not forgotten at once.
PEER_ROOM = 8000


class Ended(KeyboardInterrupt):
    """Somebody wants the end."""


@dataclasses.dataclass
class Step:
    row: str  # of the table; steps of one row are its rounds
    title: str
    who: str  # "ring", "tap", or one of peers.PEERS
    keys: dict  # of the scenario
    seconds: float  # that it takes where nothing else runs
    round: int = 0

    @property
    def name(self):
        return f"{self.row}-{self.round + 1}"


@dataclasses.dataclass
class Size:
    """How much of everything: the standard set, or --quick."""
    rounds: int
    runs: int
    duration: int  # seconds of one run of sockets
    refresh: list  # (participant, connections)
    cold: list  # participants
    memory: int  # connections
    many: int  # connections of the second refresh over rings; 0: none
    latency: int
    flood: int  # 0: none
    tap: int  # the same


STANDARD = Size(rounds=2, runs=3, duration=2,
                refresh=[("ring", 1000), ("kamailio", 10000), ("openssl", 10000), ("kamailio", 1000),
                         ("openssl", 1000), ("kamailio-open", 10000), ("nginx", 5000), ("haproxy", 5000)],
                cold=["ring", "kamailio", "openssl", "nginx", "haproxy"],
                memory=1000000, many=1000000, latency=10000, flood=10000, tap=1000)
QUICK = Size(rounds=1, runs=2, duration=1,
             refresh=[("ring", 1000), ("kamailio", 10000), ("openssl", 2000)],
             cold=["ring", "kamailio", "openssl"], memory=100000, many=0, latency=1000, flood=0, tap=0)

NAMES = {"ring": "regate, rings", "tap": "regate, TAP", "kamailio": "Kamailio, tokens in htable",
         "kamailio-open": "Kamailio, no token check", "nginx": "nginx + Kamailio, tokens",
         "haproxy": "HAProxy + Kamailio, tokens", "openssl": "bare epoll + OpenSSL"}


def short(n):
    return f"{n // 1000000} M" if n % 1000000 == 0 else f"{n // 1000} k" if n % 1000 == 0 else str(n)


def refresh_step(size, who, conns, runs):
    keys = {"kind": "refresh", "conns": conns, "runs": runs}
    seconds = 4 + conns / 50000
    if who == "ring":
        keys["requests"] = min(65536, 100 * conns)
    else:
        keys["duration"] = f"{size.duration}s"
        seconds = 3 + conns / OPENED_PER_S + (runs + 1) * size.duration
    return Step(f"refresh-{who}-{conns}", f"refresh, {short(conns)}", who, keys, seconds)


def cold_step(size, who, runs):
    if who == "ring":
        return Step("handshake-ring", "handshake + upgrade + REGISTER", who,
                    {"kind": "handshake", "conns": 1000, "runs": runs}, 6)
    keys = {"kind": "cold", "conns": 1000, "runs": runs, "window": 32, "duration": f"{size.duration}s"}
    return Step(f"cold-{who}", "handshake + upgrade + REGISTER", who, keys,
                4 + (runs + 1) * size.duration)


def standard_steps(size, conns, runs):
    """Each part with its steps. conns: connections at most; runs: timed runs of a step, or None."""
    runs = runs or size.runs
    few = [(who, min(n, conns)) for who, n in size.refresh]
    few = list(dict.fromkeys(few))  # two sizes may have become one
    parts = {
        "refresh": [refresh_step(size, who, n, runs) for who, n in few],
        "cold": [cold_step(size, who, runs) for who in size.cold],
    }
    for name in "refresh", "cold":
        parts[name] = [dataclasses.replace(s, round=r) for r in range(size.rounds) for s in parts[name]]
    n = min(size.memory, conns)
    parts["memory"] = [Step("memory-ring", f"idle connection, {short(n)}", "ring",
                            {"kind": "memory", "conns": n, "runs": 1, "warmup": 0}, 4 + n / 25000)]
    if size.many:
        parts["many"] = [refresh_step(size, "ring", min(size.many, conns), runs)]
        if parts["many"][0].row == parts["refresh"][0].row:
            del parts["many"]
    n = min(size.latency, conns)
    parts["latency"] = [Step("latency-ring", f"refresh at half load, {short(n)}", "ring",
                             {"kind": "latency", "conns": n, "runs": runs}, 8)]
    if size.flood:
        n = min(size.flood, conns)
        parts["flood"] = [Step("flood-ring", f"packets amid a SYN flood, {short(n)}", "ring",
                               {"kind": "flood", "conns": n, "runs": runs}, 8)]
    if size.tap:
        n = min(size.tap, conns)
        parts["tap"] = [Step(f"refresh-tap-{n}", f"refresh, {short(n)}", "tap", {
            "kind": "refresh", "conns": n, "runs": runs, "duration": f"{size.duration}s"}, 20),
                        Step("cold-tap", "handshake + lease + REGISTER at the core", "tap", {
                            "kind": "cold", "conns": n, "runs": runs, "window": 32,
                            "duration": f"{size.duration}s"}, 20)]
    return parts


# --- whom the load meets

class Target:
    """What a step runs against. pids: of the processes that are measured; None for rings."""

    def __init__(self, keys, pids=None):
        self.keys, self.pids = keys, pids


@contextlib.contextmanager
def ring(ctx, step):
    yield Target({"driver": "ring", "certificate": ctx.certificate, "key": ctx.key})


@contextlib.contextmanager
def tap(ctx, step):
    """A gateway on a TAP port with the core stand-in behind it, in this network namespace."""
    if not ctx.has_netns:
        raise peers.PeerError("needs root for a TAP port")
    conf = {"tls": {"tickets": 0}, "registration": {"rate": 1000, "rate_burst": 1000},
            "dataplane": {"connections": 4 * TAP_POOL, "lcores": f'"{ctx.cpus[0]}"', "idle": "busy"}}
    with lab.Lab(host_net=True, pool=TAP_POOL, conf=conf, hugepages=True) as gateway:
        keys = {"target": f"{lab.GATEWAY_IP}:443", "ca": gateway.path("tls.crt"), "domain": lab.DOMAIN,
                "origin": f"https://{lab.GATEWAY_HOST}", "tokens": "anonymous"}
        yield Target(dict(keys, driver="socket"), [gateway.regated.pid])


@contextlib.contextmanager
def peer(ctx, step):
    with peers.Peer(step.who, ctx.folder(step.name), ctx.cpus[0], conns=max(step.keys["conns"], PEER_ROOM)) as p:
        state = p.state()
        yield Target({"driver": "socket", "target": f"127.0.0.1:{state['port']}", "ca": state["certificate"],
                      "path": state["path"], "domain": state["domain"], "tokens": "file",
                      "origin": "https://127.0.0.1", "token_file": state["tokens"]}, state["pids"])


# --- one step

class Watch(threading.Thread):
    """Looks at the target's processes while a step runs: processor time now and then, memory before the
    first connection and once all stand."""

    def __init__(self, pids, cpu):
        super().__init__(daemon=True)
        self.pids, self.cpu = pids, cpu
        self.samples = []  # (seconds, processor seconds)
        self.memory = [peers.memory(pids)]
        self.ended = threading.Event()

    def run(self):
        os.sched_setaffinity(0, {self.cpu})  # this thread's: out of the target's way
        while not self.ended.wait(SAMPLE_S):
            self.samples.append((time.monotonic(), peers.cpu_seconds(self.pids)))

    def on_line(self, line):
        if line.startswith(("warm-up", "run 1 ")) and len(self.memory) == 1:
            self.memory.append(peers.memory(self.pids))

    def cpu_at(self, t):
        """Between the two samples around it; None outside of all."""
        for (t0, c0), (t1, c1) in zip(self.samples, self.samples[1:]):
            if t0 <= t <= t1:
                return c0 + (c1 - c0) * (t - t0) / (t1 - t0)
        return None

    def share(self, begin, seconds):
        """Of a CPU, in a run that began then; None when too little of it was seen."""
        end = min(begin + seconds, self.samples[-1][0]) if self.samples else begin
        a, b = self.cpu_at(begin), self.cpu_at(end)
        if a is None or b is None or b <= a or end - begin < seconds / 2:
            return None
        return (b - a) / (end - begin)


class Failed(Exception):
    """The step has no result; the text says why."""


def write_scenario(path, keys):
    with open(path, "w") as f:
        f.writelines(f"{key}: {json.dumps(value)}\n" for key, value in keys.items())


def measure(ctx, step, target, bound):
    """Runs regate-bench, at most `bound` seconds. The result with its facts about the target."""
    base = os.path.join(ctx.out, step.name)
    write_scenario(base + ".yaml", {"name": step.name, "about": f"{NAMES[step.who]}: {step.title}",
                                    "cpus": "%d,%d" % ctx.cpus, **target.keys, **step.keys})
    if os.path.exists(base + ".json"):
        os.unlink(base + ".json")
    watch = Watch(target.pids, ctx.cpus[1]) if target.pids else None
    begins, words = [], []
    proc = subprocess.Popen([lab.BUILD + "/bench/regate-bench", "run", base + ".yaml", "--json", base + ".json"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True, start_new_session=True, preexec_fn=lab.die_with_parent)
    alarm = threading.Timer(bound, proc.terminate)
    alarm.start()
    try:
        if watch:
            watch.start()
        for line in proc.stderr:
            words.append(line.strip())
            if line.startswith("run "):
                begins.append(time.monotonic())
            if watch:
                watch.on_line(line)
        proc.wait()
    except BaseException:
        proc.terminate()
        raise
    finally:
        is_late = not alarm.is_alive()
        alarm.cancel()
        end_child(proc)
        if watch:
            watch.ended.set()
    late = f"took longer than {bound:.0f} s" if is_late else None
    return read_result(base + ".json", step, watch, begins, late, (words or ["no word"])[-1])


def end_child(proc):
    """It writes what it has when told to end; then it is over, one way or the other."""
    try:
        proc.wait(STOP_S)
    except subprocess.TimeoutExpired:
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(proc.pid, signal.SIGKILL)
    proc.wait()


def read_result(path, step, watch, begins, late, words):
    try:
        with open(path) as f:
            result = json.load(f)
    except (OSError, ValueError) as e:
        raise Failed(late or words.removeprefix("regate-bench: ")) from e
    if late and result["partial"]:
        result["why"] = late
    result["facts"]["participant"] = step.who
    if watch:
        add_target(result, step, watch, begins)
    with open(path, "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    if not result["series"] and not result["histograms"]:
        raise Failed(result["why"] or words)
    return result


def add_series(result, name, unit, better, values):
    """In front of the others, as the one that counts."""
    result["series"].insert(0, {"name": name, "unit": unit, "better": better, "values": values,
                                "median": statistics.median(values), "min": min(values), "max": max(values)})


def add_target(result, step, watch, begins):
    """What only somebody who sees the target's processes can tell."""
    seconds = int(str(step.keys["duration"]).rstrip("s"))
    # A gateway takes its memory at the start.
    if len(watch.memory) == 2 and step.keys["kind"] == "refresh" and step.who != "tap":
        add_series(result, "bytes_per_conn", "B", "lower",
                   [(watch.memory[1] - watch.memory[0]) / step.keys["conns"]])
    rate = next((x for x in result["series"] if x["name"] in WALL_RATES), None)
    shares = [watch.share(begin, seconds) for begin in begins]
    if rate is None or len(shares) != len(rate["values"]) or None in shares:
        return
    add_series(result, "target_cpu_share", "1", "neither", shares)
    add_series(result, rate["name"].replace("_per_s", "_per_busy_s"), "1/s", "higher",
               [v / min(1, share) for v, share in zip(rate["values"], shares)])


def run_step(ctx, step, bound):
    begin = time.monotonic()
    make = {"ring": ring, "tap": tap}.get(step.who, peer)
    with make(ctx, step) as target:
        return measure(ctx, step, target, bound - (time.monotonic() - begin))
