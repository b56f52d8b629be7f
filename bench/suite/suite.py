#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The part of scripts/bench behind set-up and build: runs the standard set and reports it."""

import argparse
import collections
import contextlib
import datetime
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "scripts"), os.path.join(ROOT, "bench/peers")]
import lab  # noqa: E402
import parts  # noqa: E402
import peers  # noqa: E402
import table  # noqa: E402

SCHEMA = "regate.bench-suite/1"
FULL_S, QUICK_S = 600, 60
REPORT_S = 5  # of that, for the report
HUGE_MIB = {True: 256, False: 1024}  # quick, standard
DONE, FAILED, USAGE, PARTIAL = 0, 1, 2, 3


def say(text=""):
    with contextlib.suppress(OSError):  # the terminal may have gone
        print(text, flush=True)


class Context:
    """What all steps share."""

    def __init__(self, out, cpus, keeper, work, has_netns):
        self.out, self.cpus, self.keeper, self.work, self.has_netns = out, cpus, keeper, work, has_netns
        maker = peers.Peer("openssl", self.folder("keys"))
        maker.make_keys()
        self.certificate, self.key = maker.path("tls.crt"), maker.path("tls.key")

    def folder(self, name):
        path = os.path.join(self.work, name)
        os.makedirs(path, exist_ok=True)
        return path


class Suite:
    def __init__(self, args):
        self.args = args
        self.begin = time.monotonic()
        self.limit = args.time or (QUICK_S if args.quick else FULL_S)
        self.date = datetime.datetime.now(datetime.timezone.utc)
        self.rows = collections.OrderedDict()  # row: (step, results)
        self.failures = []
        self.doctor = []
        self.is_ended = False

    def left(self):
        return self.limit - REPORT_S - (time.monotonic() - self.begin)

    def fail(self, what, why):
        self.failures.append({"part": what, "why": why})
        say(f"failed    {what}: {why}")

    def look_at_machine(self):
        done = subprocess.run([lab.BUILD + "/bench/regate-bench", "doctor", "--cpus", self.args.cpus_text],
                              capture_output=True, text=True)
        lines = done.stdout.splitlines()
        for i, line in enumerate(lines):
            word = line.split()
            if len(word) > 1 and word[1] == "distorts":
                cure = lines[i + 1].strip() if i + 1 < len(lines) and "cure:" in lines[i + 1] else ""
                self.doctor.append(" ".join(word[:1] + word[2:]) + (f" ({cure})" if cure else ""))
        for warning in self.doctor:
            say(f"distorts  {warning}")
        if done.returncode not in (0, 1):
            self.fail("doctor", (done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1])

    def run_step(self, ctx, step, broken):
        if step.who in broken:
            return
        if self.left() < step.seconds:
            self.fail(step.name, f"left out: {max(0, self.left()):.0f} s of {self.limit} s are left, and it may "
                      f"take {step.seconds:.0f} s (--time gives more)")
            return
        bound = min(max(5 + 2 * step.seconds, self.limit / 5), self.left())
        begin = time.monotonic()
        try:
            result = parts.run_step(ctx, step, bound)
        except peers.PeerError as e:  # it will not do any better the next time
            broken.add(step.who)
            self.fail(step.who, str(e))
            return
        except (parts.Failed, lab.LabError) as e:
            self.fail(step.name, str(e))
            return
        self.rows.setdefault(step.row, (step, []))[1].append(result)
        row = table.row_of(step, [result])
        what = f"{table.cell(row['rate_per_s'], 'rate')} /s" if row["rate_per_s"] else ""
        if row["bytes_per_conn"]:
            what += f"  {row['bytes_per_conn']:.0f} B/conn"
        say(f"{time.monotonic() - self.begin:5.0f} s   {parts.NAMES[step.who]}: {step.title}  "
            f"{what.strip()}  ({time.monotonic() - begin:.0f} s)")
        for error in result["errors"]:
            self.fail(step.name, f"{error['count']} times: {error['text']}")
        if result["partial"]:
            self.fail(step.name, "ended early: " + (result["why"] or "no word"))

    def run(self, ctx):
        size = parts.QUICK if self.args.quick else parts.STANDARD
        broken = set()
        for name, steps in parts.standard_steps(size, self.args.conns, self.args.runs).items():
            if self.args.only and name not in self.args.only:
                continue
            for step in steps:
                self.run_step(ctx, step, broken)

    def summary(self):
        rows = [row for step, results in self.rows.values() for row in table.rows_of(step, results)]
        most = table.add_ratios(rows)
        first = next((results[0] for _, results in self.rows.values()), None)
        return {
            "schema": SCHEMA, "date": self.date.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "seconds": round(time.monotonic() - self.begin, 1), "quick": self.args.quick,
            "partial": self.is_ended or bool(self.failures), "rows": rows, "failures": self.failures,
            "doctor": self.doctor, "notes": table.notes(most),
            "environment": first["environment"] if first else None,
        }

    def report(self, out):
        """Table, JSON and HTML of what there is."""
        summary = self.summary()
        for path in [os.path.join(out, "suite.json")] + ([self.args.json] if self.args.json else []):
            with open(path, "w") as f:
                json.dump(summary, f, indent=1)
                f.write("\n")
        say()
        if summary["rows"]:
            say(table.text(summary["rows"]) + "\n")
        for note in summary["notes"] if summary["rows"] else []:
            say(f"* {note}")
        for failure in summary["failures"]:
            say(f"! {failure['part']}: {failure['why']}")
        page = self.write_page(out)
        say(f"\nresults   {out}/*.json; the table: suite.json" + (f"; a page: {page}" if page else ""))

    def write_page(self, out):
        """HTML of all results; its path, or None."""
        page = os.path.join(out, "report.html")
        files = [os.path.join(out, result["scenario"]["name"] + ".json")
                 for _, results in self.rows.values() for result in results]
        if not files:
            return None
        done = subprocess.run([sys.executable, os.path.join(ROOT, "bench/report/report.py"), *files, "-o", page],
                              capture_output=True, text=True)
        if done.returncode != 0:
            self.fail("report.html", (done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1])
            return None
        return page

    def code(self):
        if not self.rows:
            return FAILED
        return PARTIAL if self.failures or self.is_ended else DONE


def enter_netns():
    """Ports of our own. Without root: those of this host, and no TAP port."""
    try:
        lab.enter_new_netns()
    except lab.LabError:
        return False
    return True


def measure(suite, out, work, keeper):
    pid = os.getpid()

    def on_signal(*_):
        if os.getpid() != pid:  # a child that has not become another program yet
            os._exit(1)
        for sig in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            signal.signal(sig, signal.SIG_IGN)  # the end is on its way
        raise parts.Ended

    for sig in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        signal.signal(sig, on_signal)
    try:
        say("No NIC takes part: the figures are for RATIOS ONLY, between lines of one table.")
        lab.reserve_hugepages(HUGE_MIB[suite.args.quick], keeper)
        suite.look_at_machine()
        ctx = Context(out, suite.args.cpus, keeper, work, enter_netns())
        suite.run(ctx)
    except parts.Ended:
        suite.is_ended = True
        say("\nended early: what there is follows")


def cpu_pair(text):
    found = re.fullmatch(r"(\d+),(\d+)", text)
    pair = tuple(int(x) for x in found.groups()) if found else ()
    if len(set(pair)) != 2 or not set(pair) <= os.sched_getaffinity(0):
        raise ValueError
    return pair


cpu_pair.__name__ = "pair of CPUs that may be used, such as 0,1,"


def part_list(text):
    known = parts.standard_steps(parts.STANDARD, 10 ** 9, None)
    names = text.split(",")
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"no part '{name}'; there are: {' '.join(known)}")
    return names


def parse():
    ap = argparse.ArgumentParser(
        prog="scripts/bench", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures regate, Kamailio, nginx, HAProxy and bare OpenSSL in turns on the same core.",
        epilog="exit: 0 done; 1 nothing was measured; 2 command line; 3 something is missing, the rest is there")
    ap.add_argument("--quick", action="store_true", help="a smaller set, in a minute")
    ap.add_argument("--out", metavar="DIR", help="for results and report (default: bench-DATE, here)")
    ap.add_argument("--json", metavar="FILE", help="the table as JSON, also there")
    ap.add_argument("--cpus", default="0,1", help="the target's and the generator's (default: 0,1)")
    ap.add_argument("--only", type=part_list, metavar="PART,..",
                    help="of: refresh cold memory many latency flood tap")
    ap.add_argument("--conns", type=peers.number(10, 16000000), default=16000000,
                    help="connections at most, of any step")
    ap.add_argument("--runs", type=peers.number(1, 101), help="timed runs of each step")
    ap.add_argument("--time", type=peers.number(20, 86400), metavar="S",
                    help=f"seconds for all ({FULL_S}, with --quick {QUICK_S})")
    args = ap.parse_args()
    args.cpus_text = args.cpus
    try:
        args.cpus = cpu_pair(args.cpus)
    except ValueError:
        ap.error(f"--cpus {args.cpus_text}: name two CPUs that may be used, such as 0,1")
    return args


def prepare_out(args):
    """The folder for the results; what cannot be written is said before anything is measured."""
    out = os.path.abspath(args.out or datetime.datetime.now().strftime("bench-%Y%m%d-%H%M%S"))
    os.makedirs(out, exist_ok=True)
    for path in [os.path.join(out, "suite.json")] + ([args.json] if args.json else []):
        with open(path, "a"):
            pass
    return out


def main():
    args = parse()
    suite = Suite(args)
    try:
        out = prepare_out(args)
    except OSError as e:
        print(f"bench: {e.filename}: {e.strerror}", file=sys.stderr)
        return USAGE
    work = tempfile.mkdtemp(prefix="regate-bench-")
    os.chmod(work, 0o755)  # nginx drops privileges
    keeper = lab.Keeper(work)
    try:
        measure(suite, out, work, keeper)
    except (lab.LabError, peers.PeerError) as e:
        suite.fail("set-up", str(e))
    finally:
        keeper.clean()
    suite.report(out)
    return suite.code()


if __name__ == "__main__":
    sys.exit(main())
