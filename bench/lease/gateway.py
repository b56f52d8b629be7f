#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A whole gateway with a million pairs, most of them imported: how long the import takes, what the operator's
commands wait for, and how long it is from kill -9 to serving. One JSON object per line."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../scripts"))
from lab import BUILD, DOMAIN, Lab, wait_for  # noqa: E402


def say(what, values, unit, n):
    values = sorted(values)
    print(json.dumps({"bench": "lease_gateway", "what": what, "n": n, "rounds": len(values),
                      unit: {"median": round(statistics.median(values), 3), "min": round(values[0], 3),
                             "max": round(values[-1], 3)}}), flush=True)


def cli(lab, *args):
    """Seconds that a command takes, start of its process included."""
    began = time.monotonic()
    done = subprocess.run([BUILD + "/controlplane/cli/regatectl", "--socket", lab.path("ctl.sock"), *args],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"regatectl {' '.join(args)}: {done.returncode} {done.stderr.strip()}")
    return time.monotonic() - began


def cpu_s(lab):
    """What regated used of the CPU, all threads: on a busy machine the figure to compare."""
    with open(f"/proc/{lab.regated.pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def restart(lab):
    lab.stop(lab.regated, signal.SIGKILL)
    began = time.monotonic()
    lab.start_regated(wait=False)
    wait_for("start of regated", lab.regated_ready, 120)
    took, cpu = time.monotonic() - began, cpu_s(lab)
    lab.link_up()
    return took, cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    n, last = args.pairs, f"sip:bulk-{args.pairs - 1:07d}@{DOMAIN}"
    commands = (("lease", "list"), ("lease", "list", "--state", "quarantine"), ("lease", "show", last),
                ("pool", "list"), ("pool", "show", "demo"))

    with Lab(pool=10, conf={"leases": {"max": n + 100}}) as lab:
        text = "".join(f"bulk-{i:07d}@{DOMAIN},sip:bulk-{i:07d}@{DOMAIN}\n" for i in range(n))
        path = lab.write("pairs.csv", text)
        cpu = cpu_s(lab)
        say("pool import", [cli(lab, "pool", "import", "demo", path)], "s", n)
        say("pool import, CPU", [cpu_s(lab) - cpu], "s", n)
        say("a second time", [cli(lab, "pool", "import", "demo", path)], "s", n)
        for command in commands:
            say(" ".join(command), [1e3 * cli(lab, *command) for _ in range(args.rounds)], "ms", n)
        say("regatectl alone", [1e3 * cli(lab, "--help") for _ in range(args.rounds)], "ms", n)
        took, cpu = zip(*(restart(lab) for _ in range(args.rounds)))
        say("kill -9 to serving", took, "s", n)
        say("kill -9 to serving, CPU", cpu, "s", n)


if __name__ == "__main__":
    main()
