# SPDX-License-Identifier: BSD-3-Clause
"""The part of scripts/run behind set-up and build: shows one registration from end to end."""

import argparse
import json
import signal
import sys
import threading

from lab import CLIENT_IP, GATEWAY_HOST, TAP, Lab, LabError


def say(text):
    try:
        print(text, flush=True)
    except OSError:
        pass  # the terminal has gone


def show_client(lab):
    """Runs the JsSIP client; True when it registered, refreshed and de-registered."""
    client = lab.node("jssip_client.js")
    words = {"lease": "client    leased {impu} over HTTPS, without typing anything",
             "registered": "client    JsSIP says registered: REGISTER > core > 200, {expires} s",
             "refreshed": "client    refreshed: {where}",
             "unregistered": "client    de-registered in the core"}
    for line in client.stdout:
        try:
            step = json.loads(line)
        except ValueError:
            continue
        text = words.get(step.get("step"))
        if text:
            local = sum(lab.counters()["reg_local_ok"]) > 0
            where = "answered in the dataplane, the core saw nothing" if local else "answered by the core"
            say(text.format_map({"impu": "?", "expires": "?", "where": where, **step}))
    error = client.stderr.read().strip()
    if client.wait() != 0:
        say("client    failed: " + (error.splitlines()[-1] if error else f"exit {client.returncode}"))
    return client.returncode == 0


def show(lab):
    say(f"core      {lab.core_kind} on 127.0.0.1:6060 (SIP over TCP), pid {lab.core.pid}")
    say(f"gateway   regated on TAP port {TAP}, https://{GATEWAY_HOST}/, pid {lab.regated.pid}")
    say(f"pool      {lab.pool_size} identity pairs; account alice, password 'correct horse'")
    ok = show_client(lab)
    total = {name: sum(per_worker) for name, per_worker in lab.counters().items()}
    at_core = lab.ctl("stats", "--all")["data"]["ims"]["core_requests"]
    say(f"counters  REGISTER: {total['reg_local_ok']} answered in the dataplane, "
        f"{total['reg_punted']} passed to the control plane; "
        f"{at_core} requests to the core")
    return ok


def show_what_to_try(lab, host_net):
    if host_net:
        say(f"try       open https://{GATEWAY_HOST}/ in a browser and accept the demo certificate")
    else:
        say(f"try       nsenter -t {lab.regated.pid} -n curl -k https://{GATEWAY_HOST}/")
    say(f"try       build/controlplane/cli/regatectl --socket {lab.path('ctl.sock')} lease list")


def main():
    ap = argparse.ArgumentParser(prog="scripts/run", description="Shows regate at work, until Ctrl-C.")
    ap.add_argument("--once", action="store_true", help="end after the client has succeeded")
    ap.add_argument("--core", choices=["imscore", "kamailio"], default="imscore",
                    help="IMS core behind the gateway: the built-in stand-in, or Kamailio")
    ap.add_argument("--host-net", action="store_true",
                    help=f"put the TAP port on this host ({CLIENT_IP}), for a browser of yours")
    ap.add_argument("--ipv6", action="store_true", help="client and gateway speak IPv6")
    args = ap.parse_args()
    stop = threading.Event()

    def on_signal(*_):
        stop.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGHUP, on_signal)  # the terminal was closed
    try:
        with Lab(core=args.core, host_net=args.host_net, hugepages=True) as lab:
            ok = show(lab)
            if args.once or not ok:
                return 0 if ok else 1
            show_what_to_try(lab, args.host_net)
            say("ready     Ctrl-C ends everything and leaves nothing behind")
            while lab.regated.poll() is None:
                if stop.wait(0.5):
                    break
            else:
                say("gateway   ended: " + lab.log("regated").strip().splitlines()[-1])
                return 1
        return 0
    except KeyboardInterrupt:
        say("\nstopped")
        return 0
    except LabError as e:
        print(f"run: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
