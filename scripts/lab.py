# SPDX-License-Identifier: BSD-3-Clause
"""A gateway with a core behind it, in a network namespace of its own; for scripts/run and the
system tests. Everything it starts ends with it, kill -9 included: the namespace has no name and goes
with its last process, hugepages are given back, files live in one temporary folder."""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("REGATE_BUILD", os.path.join(ROOT, "build"))
# REGATE_IP=6: clients and gateway speak IPv6 with each other, and no IPv4.
IS_IP6 = os.environ.get("REGATE_IP") == "6"
FAMILY = socket.AF_INET6 if IS_IP6 else socket.AF_INET
GATEWAY_IP, CLIENT_IP, PREFIX = (("fd00:77::2", "fd00:77::1", 64) if IS_IP6 else
                                 ("10.77.0.2", "10.77.0.1", 24))
GATEWAY_HOST = f"[{GATEWAY_IP}]" if IS_IP6 else GATEWAY_IP  # in a URI
DOMAIN = "ims.example.net"
CORE = ("127.0.0.1", 6060)
SCSCF = "127.0.0.1:6061"  # behind the I-CSCF at CORE
HSS = ("127.0.0.1", 3868)
# Empty tables of Debian's Kamailio, and those that ims_icscf reads beside them.
KAMAILIO_TABLES = "/usr/share/kamailio/dbtext/kamailio"
ICSCF_TABLES = {
    "nds_trusted_domains": "id(int,auto) trusted_domain(string)\n",
    "s_cscf": "id(int,auto) name(string) s_cscf_uri(string)\n"
              f"1:scscf:sip\\:scscf.{DOMAIN}\\:6061\n",
    "s_cscf_capabilities": "id(int,auto) id_s_cscf(int) capability(int)\n1:1:0\n",
}
TAP = "dtap0"
# Of the worker: labs that run at once spread over the CPUs.
CPU = sorted(os.sched_getaffinity(0))[os.getpid() % len(os.sched_getaffinity(0))]
HUGE = "/sys/kernel/mm/hugepages/hugepages-2048kB/"
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

# Only sanitizer builds read it.
os.environ.setdefault("LSAN_OPTIONS",
                      f"suppressions={ROOT}/tests/lib/lsan.supp:print_suppressions=0")
libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something could not be started; the text is for the user."""


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def sh(*args):
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)


def wait_for(what, check, timeout=20.0):
    """Polls check() until it returns something true; that is the result."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        result = check()
        if result:
            return result
        time.sleep(0.02)
    raise LabError(f"{what} did not happen within {timeout:g} s")


def hugepages(what):
    """Number of 2 MiB pages: "nr" (reserved) or "free"."""
    with open(f"{HUGE}{what}_hugepages") as f:
        return int(f.read())


def reserve_hugepages(mib, keeper):
    """Reserves the 2 MiB pages that are missing; the keeper gives as many back."""
    try:
        missing = mib // 2 - hugepages("free")
        if missing <= 0:
            return
        before = hugepages("nr")
        with open(HUGE + "nr_hugepages", "w") as f:
            f.write(str(before + missing))
        keeper.say(f"huge {hugepages('nr') - before}")
    except OSError:
        pass


class Keeper:
    """A process that outlives us, however we end, by as long as it takes to clean up."""

    SCRIPT = """
trap '' INT TERM HUP QUIT
while read -r word value; do
    case $word in
    huge) huge=$value ;;
    over) over=1 ;;
    esac
done
[ -n "$over" ] || sleep 2 # what we started dies with us, but takes its time
[ -z "$huge" ] || echo $(($(cat "$2") - huge)) >"$2"
rm -rf "$1"
"""

    def __init__(self, folder):
        self.proc = subprocess.Popen(["sh", "-c", self.SCRIPT, "keeper", folder, HUGE + "nr_hugepages"],
                                     stdin=subprocess.PIPE, text=True, start_new_session=True)

    def say(self, line):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()

    def clean(self):
        """All that was started has ended."""
        if self.proc.poll() is None:
            self.proc.communicate("over\n")


def enter_new_netns():
    """Moves this thread, and all that it starts, into a new network namespace."""
    if libc.unshare(CLONE_NEWNET) != 0:
        raise LabError(f"no network namespace: {os.strerror(ctypes.get_errno())}; run as root")
    sh("ip", "link", "set", "lo", "up")


class Lab:
    def __init__(self, core="imscore", host_net=False, pool=120, conf=None, hugepages=False, **opts):
        """conf: {section: {key: value}} over the defaults. opts: port, iface, core_args (with core
        "scscf": of its HSS), start_s (to wait for regated)."""
        self.core_kind = core
        self.opts = opts
        self.conf_over = conf or {}
        self.pool_size = pool
        self.dir = tempfile.mkdtemp(prefix="regate-")
        os.chmod(self.dir, 0o755)  # Kamailio may drop privileges
        self.procs = []
        self.regated = None
        self.core = None
        self.keeper = Keeper(self.dir)
        self.host_net = host_net
        self.want_hugepages = hugepages

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *exc):
        self.down()

    # --- files

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def make_keys(self):
        if os.path.exists(self.path("tls.key")):
            return
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "30", "-subj", "/CN=regate demo", "-keyout", self.path("tls.key"),
             "-out", self.path("tls.crt"), "-addext",
             f"subjectAltName=IP:{GATEWAY_IP},DNS:epcscf1.{DOMAIN}"], **quiet)
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                        self.path("token.key")], **quiet)

    def make_identities(self):
        self.write("pool.txt", "".join(
            f"pool-{i:05d}@{DOMAIN} sip:pool-{i:05d}@{DOMAIN}\n" for i in range(1, self.pool_size + 1)))
        hashed = subprocess.run([BUILD + "/controlplane/regated", "--hash-password"],
                                input="correct horse\n", capture_output=True, text=True, check=True)
        lines = "".join(f"{u} {hashed.stdout.strip()} {u}@{DOMAIN} sip:{u}@{DOMAIN}\n"
                        for u in ("alice", *self.opts.get("accounts", ())))
        self.write("accounts.txt", lines)

    def conf_tree(self):
        tree = {
            "dataplane": {"port": self.opts.get("port", f"net_tap0,iface={TAP}"), "lcores": f'"{CPU}"',
                          "workers": 1, "memory": "128MiB",
                          # Of labs that run at once only one could have them.
                          "hugepages": "auto" if self.want_hugepages else "no",
                          "address6" if IS_IP6 else "address": f"{GATEWAY_IP}/{PREFIX}",
                          "connections": 4096},
            "tls": {"certificate": "tls.crt", "key": "tls.key"},
            "registration": {"domain": DOMAIN, "authz_server": f"https://{GATEWAY_HOST}"},
            "core": {"address": f"{CORE[0]}:{CORE[1]}", "transport": "tcp", "local": "127.0.0.1",
                     "host": f"epcscf1.{DOMAIN}:5060", "visited_network": DOMAIN},
            "token": {"keys": ["token.key"], "issuer": f"https://{GATEWAY_HOST}",
                      "audience": f"ep-cscf.{DOMAIN}"},
            "accounts": {"file": "accounts.txt", "wwsf": "demo"},
            # All clients have one address here.
            "quotas": {"source_rate": 0, "source_max": 0, "wwsf_rate": 0},
            "store": {"path": "regate.db"},
            "ctl": {"socket": "ctl.sock"},
            "wic": {"dir": os.path.join(ROOT, "controlplane/wwsf/wic/dist")},
            "log": {"level": "info"},
        }
        for section, keys in self.conf_over.items():
            if keys is None:
                tree.pop(section, None)
            elif isinstance(keys, str):
                tree[section] = keys
            else:
                tree.setdefault(section, {}).update(keys)
        return tree

    def make_conf(self):
        out = []
        tree = self.conf_tree()
        tree.setdefault("wwsfs", f"\n  - id: demo\n    origins: [\"https://{GATEWAY_HOST}\"]")
        tree.setdefault("pools", "\n  - name: demo\n    wwsf: demo\n    file: pool.txt\n    anonymous: allow")
        for section, keys in tree.items():
            if isinstance(keys, str):
                out.append(f"{section}:{keys}\n")
            else:
                out.append(f"{section}:\n" + "".join(f"  {k}: {v}\n" for k, v in keys.items()
                                                     if v is not None))
        return self.write("regated.yaml", "".join(out))

    # --- processes

    def start(self, name, args, **kw):
        log = open(self.path(name + ".log"), "ab")
        proc = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True, preexec_fn=die_with_parent, **kw)
        log.close()
        proc.name = name
        self.procs.append(proc)
        return proc

    def stop(self, proc, sig=signal.SIGTERM):
        if proc is None:
            return None
        if proc.poll() is None:
            proc.send_signal(sig)
            try:
                proc.wait(15)
            except subprocess.TimeoutExpired:
                proc.kill()
                proc.wait()
        if proc in self.procs:
            self.procs.remove(proc)
        return proc.returncode

    def log(self, name):
        try:
            with open(self.path(name + ".log"), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def start_core(self):
        if self.core_kind == "none":
            return
        with socket.socket() as s:
            if s.connect_ex(CORE) == 0:  # it would pass for ours
                raise LabError("%s:%d is in use already; end what listens there" % CORE)
        if self.core_kind == "kamailio":
            self.core = self.start_kamailio()
        elif self.core_kind == "scscf":
            self.core = self.start_scscf()
        else:
            self.core = self.start("imscore", [
                BUILD + "/imscore/regate-imscore", "--listen", "%s:%d" % CORE, "--domain", DOMAIN,
                "--log", self.path("core.jsonl"), *self.opts.get("core_args", ())])
        wait_for(f"start of the core ({self.core_kind})", self.core_answers)

    def core_answers(self):
        if not self.answers(self.core, CORE):
            return False
        return self.core_kind != "scscf" or "State: I_Open" in self.kamcmd("cdp.list_peers")

    def answers(self, proc, address):
        if proc.poll() is not None:
            raise LabError(f"the core ended: {self.log(proc.name).strip()[-500:]}")
        with socket.socket() as s:
            return s.connect_ex(address) == 0

    def core_file(self, name):
        """Fills in a file of tests/system/core; the path of the result."""
        with open(os.path.join(ROOT, "tests/system/core", name + ".in")) as f:
            text = f.read()
        for word, value in {"RUN": self.dir, "LISTEN": "%s:%d" % CORE, "SCSCF": SCSCF}.items():
            text = text.replace(f"@{word}@", value)
        return self.write(name, text)

    def start_kamailio(self, cfg="kamailio.cfg", pkg_mib=8):
        return self.start("kamailio", ["kamailio", "-f", self.core_file(cfg), "-DD", "-E", "-m", "64",
                                       "-M", str(pkg_mib), "-Y", self.dir, "-w", self.dir])

    def start_scscf(self):
        """I-CSCF and S-CSCF by Kamailio's IMS modules, with an HSS of our own."""
        hss = self.start("hss", [sys.executable, os.path.join(ROOT, "tests/system/core/hss.py"), "--log",
                                 self.path("hss.jsonl"), *self.opts.get("core_args", ())])
        wait_for("start of the HSS", lambda: self.answers(hss, HSS))
        shutil.copytree(KAMAILIO_TABLES, self.path("db"))
        for table, rows in ICSCF_TABLES.items():
            self.write(f"db/{table}", rows)
        self.core_file("cdp.xml")
        return self.start_kamailio("scscf.cfg", 16)

    def kamcmd(self, *args):
        out = subprocess.run(["kamcmd", "-s", f"unix:{self.path('ctl')}", *args],
                             capture_output=True, text=True, timeout=10)
        return out.stdout

    def kamailio_contacts(self):
        """Location table as [(aor, contact line block)]."""
        return self.kamcmd("ul.dump")

    def kamailio_aors(self, aors):
        """{aor: its contact line block}; the whole table is too much for one answer of kamcmd."""
        return {aor: self.kamcmd("ul.lookup", "location", aor) for aor in aors}

    def scscf_bindings(self):
        """What the S-CSCF has bound: [{impu, impi, contact, path, expires}]. It sweeps up what is
        over some seconds later; that is left out here."""
        path = self.path("snapshot")
        self.kamcmd("ulscscf.snapshot", path)
        with open(path) as f:
            text = f.read()
        os.unlink(path)  # the command appends
        bindings = []
        for record in text.split("...IMPU Record")[1:]:
            head, *contacts = record.split("~~~Contact(")
            for block in contacts:
                life = re.search(r"Expires +:\s+(\w+)", block)[1]
                if life.isdigit() and int(life) > 0 and "State     : Contact valid" in block:
                    bindings.append({
                        "impu": re.search(r"public_identity +: '(.*)'", head)[1],
                        "impi": re.search(r"IMPI for subscription: \[(.*)\]", head)[1],
                        "contact": re.search(r"Contact +: '(.*)'", block)[1],
                        "path": re.search(r"Path +: '(.*)'", block)[1], "expires": int(life)})
        return bindings

    def hss_requests(self, impu):
        """What the HSS was asked about one public identity, oldest first."""
        return [x for x in self.json_lines("hss.jsonl") if x["impu"] == impu]

    def core_requests(self, method="REGISTER"):
        """Requests that the stand-in saw, oldest first."""
        return [x for x in self.json_lines("core.jsonl") if x.get("method") == method]

    def json_lines(self, name):
        try:
            with open(self.path(name)) as f:
                return [json.loads(x) for x in f if x.endswith("\n")]
        except FileNotFoundError:
            return []

    def start_regated(self, wait=True):
        program = "regated-test" if "test" in self.conf_over else "regated"
        self.regated = self.start("regated", [f"{BUILD}/controlplane/{program}", "--config",
                                              self.path("regated.yaml")])
        if wait:
            wait_for("start of regated", self.regated_ready, self.opts.get("start_s", 20))
            self.link_up()
        return self.regated

    def regated_ready(self):
        if self.regated.poll() is not None:
            raise LabError(self.log("regated").strip().splitlines()[-1] if self.log("regated").strip()
                           else f"regated ended with {self.regated.returncode}")
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.path("ctl.sock")) == 0

    def link_up(self):
        iface = self.opts.get("iface", TAP)
        if subprocess.run(["ip", "-o", "addr", "show", "dev", iface], capture_output=True,
                          text=True).stdout.find(CLIENT_IP) < 0:
            sh("ip", "addr", "add", f"{CLIENT_IP}/{PREFIX}", "dev", iface, *(["nodad"] if IS_IP6 else []))
        # Longer than any burst of the tests: a reset lost in it is not sent again.
        sh("ip", "link", "set", iface, "txqueuelen", "10000", "up")

    def up(self):
        if not self.host_net:
            enter_new_netns()
        elif os.path.exists("/sys/class/net/" + TAP):
            raise LabError(f"interface {TAP} exists already; is another scripts/run --host-net up?")
        if self.want_hugepages:
            reserve_hugepages(128, self.keeper)
        self.make_keys()
        self.make_identities()
        self.make_conf()
        prepare = self.opts.get("prepare")
        if prepare:
            prepare(self)
        self.start_core()
        self.start_regated()

    def down(self):
        for proc in reversed(self.procs[:]):
            self.stop(proc)
        self.keeper.clean()

    # --- looking in

    def ctl(self, *args, check=True):
        out = subprocess.run([BUILD + "/controlplane/cli/regatectl", "--socket", self.path("ctl.sock"),
                              "--json", *args], capture_output=True, text=True, timeout=10)
        if check and out.returncode != 0:
            raise LabError(f"regatectl {' '.join(args)}: {out.returncode} {out.stderr} {out.stdout}")
        return json.loads(out.stdout) if out.stdout.strip() else {"stderr": out.stderr,
                                                                 "code": out.returncode}

    def counters(self):
        """Worker counters by name, each the list of all workers."""
        listed = self.ctl("stats", "--all")["data"]["counters"]
        return {c["name"]: c["per_worker"] for c in listed}

    def node(self, script, **env):
        return self.start_client(["node", os.path.join(ROOT, "tests/browser", script)], **env)

    def start_client(self, args, **env):
        full = dict(os.environ, GATEWAY=f"https://{GATEWAY_HOST}", WSS=f"wss://{GATEWAY_HOST}/w2",
                    ORIGIN=f"https://{GATEWAY_HOST}", CA=self.path("tls.crt"),
                    NODE_EXTRA_CA_CERTS=self.path("tls.crt"))
        full.update(env)
        return subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=full,
                                preexec_fn=die_with_parent)
