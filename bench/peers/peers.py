#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Other servers of the same traffic, to measure against: each on 127.0.0.1, on one CPU, with keys and
configuration made in a folder, until it is told to end, its life is over, or its parent dies.
    peers.py up PEER --dir DIR [--cpu N] [--port N] [--conns N] [--life S]     prints one line of JSON
    peers.py stat --dir DIR                                                    memory, as JSON
    peers.py down --dir DIR"""

import argparse
import base64
import glob
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("REGATE_BUILD", os.path.join(ROOT, "build"))
TOKEN_LEN = 200
DOMAIN = "ims.example.net"
# Nothing else that listens on this host is as likely to be in the way as on 443.
PORT = 8443
START_S, STOP_S = 30, 5
SPARE_FILES = 500  # what a program opens beside its connections
# A process that ends the group $1 when we are gone, however that came: a SIGTERM alone, as by
# PR_SET_PDEATHSIG, is lost on a Kamailio that is just starting.
GUARD = 'read -r _; kill -TERM "-$1"; sleep 1; kill -KILL "-$1"'
# Shared memory of Kamailio: what a connection takes at most, and the rest. Pages count once touched.
KAMAILIO_CONN_KIB, KAMAILIO_MIB = 400, 256
STATE = "peer.json"


class PeerError(Exception):
    """A peer cannot be had; the text is for the user."""


def make_token():
    """As long as those that regate is measured with, and base64url as they are."""
    text = base64.urlsafe_b64encode(os.urandom(TOKEN_LEN * 3 // 4)).decode()
    return f"{text[:36]}.{text[37:110]}.{text[111:]}"


# --- the peers: what each starts, from the one in front to the last one behind

class Spec:
    """A program of a peer: who has it, its arguments, what is written for it, its open files."""

    def __init__(self, program, package, args, config=None, words=None, files_per_conn=1):
        self.program, self.package, self.args = program, package, args
        self.config, self.words, self.files_per_conn = config, words, files_per_conn


def kamailio(peer, port, defines=()):
    is_tls = "WITH_TLS" in defines
    words = {"LISTEN": f"{'tls' if is_tls else 'tcp'}:127.0.0.1:{port}", "CHILDREN": 1}
    shm = KAMAILIO_MIB + peer.conns * KAMAILIO_CONN_KIB // 1024
    args = ["-f", peer.path("kamailio.cfg"), "-DD", "-E", "-x", "fm", "-m", str(shm), "-M", "32",
            "-Y", peer.dir, "-w", peer.dir]
    for word in defines:
        args += ["-A", word]
    modules = "kamailio-websocket-modules and kamailio-tls-modules"
    return Spec("kamailio", modules, args, "kamailio.cfg", words)


def front(program, package, args, name):
    """A proxy on the port, Kamailio with tokens on the next one."""
    def make(peer):
        words = {"BACK": f"127.0.0.1:{peer.port + 1}"}
        return [kamailio(peer, peer.port + 1, ["WITH_TOKENS"]),
                Spec(program, package, [a.replace("@RUN@", peer.dir) for a in args], name, words, 2)]
    return make


def openssl(peer):
    program = BUILD + "/bench/peers/regate-responder"
    return [Spec(program, "ninja -C build", [
        "--certificate", peer.path("tls.crt"), "--key", peer.path("tls.key"), "--port", str(peer.port),
        "--connections", str(peer.conns)])]


PEERS = {
    "kamailio": lambda peer: [kamailio(peer, peer.port, ["WITH_TLS", "WITH_TOKENS"])],
    "kamailio-open": lambda peer: [kamailio(peer, peer.port, ["WITH_TLS"])],
    "nginx": front("nginx", "nginx", ["-p", "@RUN@", "-c", "@RUN@/nginx.conf", "-e", "@RUN@/nginx.err"],
                   "nginx.conf"),
    "haproxy": front("haproxy", "haproxy", ["-f", "@RUN@/haproxy.cfg", "-db"], "haproxy.cfg"),
    "openssl": openssl,
}


class Peer:
    """One of PEERS, running while in a with-block. folder must exist; files in it are written over."""

    def __init__(self, kind, folder, cpu=0, port=PORT, conns=10000):
        self.kind, self.dir, self.cpu = kind, os.path.abspath(folder), cpu
        self.port, self.conns = port, conns
        self.procs, self.guards = [], []

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *exc):
        self.down()

    def path(self, name):
        return os.path.join(self.dir, name)

    # --- files

    def fill(self, name, words):
        with open(os.path.join(HERE, name + ".in")) as f:
            text = f.read()
        words = {"RUN": self.dir, "PORT": self.port, "CONNS": self.conns + 100,
                 "FILES": 2 * self.conns + SPARE_FILES, "SLOTS": 4 * self.conns + SPARE_FILES, **words}
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        with open(self.path(name), "w") as f:
            f.write(text)

    def make_keys(self):
        if not os.path.exists(self.path("tls.pem")):
            made = subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-days", "7", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1",
                 "-keyout", self.path("tls.key"), "-out", self.path("tls.crt")],
                capture_output=True, text=True)
            if made.returncode != 0:
                raise PeerError("openssl req: " + made.stderr.strip().splitlines()[-1])
            with open(self.path("tls.pem"), "w") as out:
                for name in "tls.crt", "tls.key":
                    with open(self.path(name)) as f:
                        out.write(f.read())
        self.fill("openssl.cnf", {})

    def make_tokens(self):
        """tokens.txt for the clients, "impu impi token" each, and Kamailio's table of token and user."""
        os.makedirs(self.path("db"), exist_ok=True)
        with open(self.path("db/version"), "w") as f:
            f.write("table_name(string) table_version(int)\ntoken:2\n")
        with open(self.path("db/token"), "w") as table, open(self.path("tokens.txt"), "w") as tokens:
            table.write("id(int,auto) key_name(string) key_type(int) value_type(int) key_value(string) "
                        "expires(int)\n")
            for i in range(self.conns):
                user, token = f"p{i:08d}", make_token()
                table.write(f"{i + 1}:{token}:0:0:{user}:0\n")
                tokens.write(f"sip:{user}@{DOMAIN} {user}@{DOMAIN} {token}\n")

    # --- processes

    def start(self, spec):
        if shutil.which(spec.program) is None:
            cure = "" if "/" in spec.program else "scripts/setup bench installs "
            raise PeerError(f"{os.path.basename(spec.program)} is missing: {cure}{spec.package}")
        if spec.config:
            self.fill(spec.config, spec.words)
        n_files = spec.files_per_conn * self.conns + SPARE_FILES
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard < n_files:
            raise PeerError(f"{self.kind} needs {n_files} open files for {self.conns} connections, and may "
                            f"have {hard}: raise ulimit -Hn, or take fewer")

        def prepare():
            os.sched_setaffinity(0, {self.cpu})
            resource.setrlimit(resource.RLIMIT_NOFILE, (n_files, n_files))

        with open(self.path("peer.log"), "ab") as log:
            self.procs.append(subprocess.Popen(
                [spec.program, *spec.args], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=prepare,
                env=dict(os.environ, OPENSSL_CONF=self.path("openssl.cnf"))))
        self.guards.append(subprocess.Popen(
            ["sh", "-c", GUARD, "guard", str(self.procs[-1].pid)], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))

    def is_answering(self, port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def up(self):
        for port in self.port, self.port + 1:
            if self.is_answering(port):
                raise PeerError(f"127.0.0.1:{port} is in use already; end what listens there")
        self.make_keys()
        self.make_tokens()
        specs = PEERS[self.kind](self)
        for i, spec in enumerate(specs):
            self.start(spec)
            self.wait_for(self.port + len(specs) - 1 - i)

    def wait_for(self, port):
        proc, end = self.procs[-1], time.monotonic() + START_S
        while not self.is_answering(port):
            if proc.poll() is not None:
                raise PeerError(f"{self.kind} ended with {proc.returncode}: {self.last_words()}")
            if time.monotonic() > end:
                raise PeerError(f"{self.kind} does not answer on port {port} after {START_S} s")
            time.sleep(0.02)

    def last_words(self):
        with open(self.path("peer.log"), errors="replace") as f:
            lines = [x for x in f.read().splitlines() if x]
        bad = [x for x in lines if "ERROR" in x or "CRITICAL" in x or "emerg" in x or "ALERT" in x]
        return (bad or lines or ["no word"])[0][-300:]

    def down(self):
        """All processes, also those that these have started, are gone afterwards."""
        for proc in reversed(self.procs):
            if proc.poll() is None:
                proc.terminate()
        end = time.monotonic() + STOP_S
        for proc in reversed(self.procs):
            try:
                proc.wait(max(0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(proc.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            proc.wait()
        for guard in self.guards:
            guard.kill()
            guard.wait()
            guard.stdin.close()
        self.procs, self.guards = [], []

    def state(self):
        return {"schema": "regate.peer/1", "peer": self.kind, "address": "127.0.0.1", "port": self.port,
                "path": "/w2", "domain": DOMAIN, "certificate": self.path("tls.crt"),
                "tokens": self.path("tokens.txt"), "cpu": self.cpu, "conns": self.conns,
                "pids": [p.pid for p in self.procs]}


def processes(pids):
    """The folders in /proc of these process groups."""
    out = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.getpgid(int(entry)) in pids:
                out.append("/proc/" + entry)
        except OSError:
            pass  # it has just ended
    return out


def read_all(paths):
    for path in paths:
        try:
            with open(path) as f:
                yield f.read()
        except OSError:
            pass  # as above


def memory(pids):
    """Bytes of these processes and those that they have started: what several share counts once (Pss)."""
    texts = read_all(x + "/smaps_rollup" for x in processes(pids))
    return sum(int(line.split()[1]) << 10 for text in texts for line in text.splitlines()
               if line.startswith("Pss:"))


def cpu_seconds(pids):
    """Processor time of the same."""
    threads = [t for x in processes(pids) for t in glob.glob(x + "/task/*/schedstat")]
    return sum(int(text.split()[0]) for text in read_all(threads)) / 1e9


# --- commands

def keep(peer, life, ready):
    """The process behind `up`: runs the peer, tells how it went, waits for its end."""
    def on_signal(*_):
        raise KeyboardInterrupt

    for sig in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        signal.signal(sig, on_signal)
    try:
        with peer:
            state = dict(peer.state(), keeper=os.getpid())
            with open(peer.path(STATE), "w") as f:
                json.dump(state, f)
            os.write(ready, json.dumps(state).encode())
            os.close(ready)
            end = time.monotonic() + life
            while time.monotonic() < end and all(p.poll() is None for p in peer.procs):
                time.sleep(0.2)
    except KeyboardInterrupt:
        pass
    except PeerError as e:
        os.write(ready, str(e).encode())
        return
    os.unlink(peer.path(STATE))


def command_up(args):
    if os.path.exists(os.path.join(args.dir, STATE)):
        raise PeerError(f"{args.dir} has a peer already; first: peers.py down --dir {args.dir}")
    os.makedirs(args.dir, exist_ok=True)
    peer = Peer(args.peer, args.dir, args.cpu, args.port, args.conns)
    heard, ready = os.pipe()
    if os.fork() == 0:
        os.close(heard)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in 0, 1, 2:
            os.dup2(null, fd)
        try:
            keep(peer, args.life, ready)
        finally:
            os._exit(0)
    os.close(ready)
    with os.fdopen(heard) as f:
        said = f.read()
    if not said.startswith("{"):
        raise PeerError(said or f"{args.peer} ended at once; see {peer.path('peer.log')}")
    print(said)


def load_state(folder):
    try:
        with open(os.path.join(folder, STATE)) as f:
            return json.load(f)
    except OSError as e:
        raise PeerError(f"no peer in {folder}: {e.strerror}") from e


def command_stat(args):
    state = load_state(args.dir)
    print(json.dumps({"schema": "regate.peer/1", "peer": state["peer"], "memory_bytes": memory(state["pids"]),
                      "cpu_seconds": cpu_seconds(state["pids"])}))


def command_down(args):
    keeper = load_state(args.dir)["keeper"]
    state, end = os.path.join(args.dir, STATE), time.monotonic() + 2 * STOP_S
    try:
        with open(f"/proc/{keeper}/cmdline") as f:
            is_ours = "peers.py" in f.read()  # else its number went to somebody else
    except OSError:
        is_ours = False
    if is_ours:
        os.kill(keeper, signal.SIGTERM)
    elif os.path.exists(state):
        os.unlink(state)
    while os.path.exists(state):
        if time.monotonic() > end:
            raise PeerError(f"process {keeper} does not end")
        time.sleep(0.05)


def number(least, most):
    def parse(text):
        value = int(text)
        if not least <= value <= most:
            raise ValueError
        return value
    parse.__name__ = f"number from {least} to {most}"
    return parse


def main():
    ap = argparse.ArgumentParser(prog="peers.py", description="Servers to measure against, on 127.0.0.1.")
    commands = ap.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a peer in the background; prints where, as JSON")
    up.add_argument("peer", choices=PEERS)
    up.add_argument("--cpu", type=number(0, os.cpu_count() - 1), default=0)
    up.add_argument("--port", type=number(1, 65534), default=PORT, help="and the next one")
    up.add_argument("--conns", type=number(1, 1000000), default=10000,
                    help="connections and tokens to be ready for")
    up.add_argument("--life", type=number(1, 86400), default=900, help="seconds after which it ends")
    stat = commands.add_parser("stat", help="what it holds in memory and took of its CPU, as JSON")
    down = commands.add_parser("down", help="end it")
    for command in up, stat, down:
        command.add_argument("--dir", required=True, help="for keys, configuration, log")
    args = ap.parse_args()
    try:
        {"up": command_up, "stat": command_stat, "down": command_down}[args.command](args)
    except PeerError as e:
        print(f"peers: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
