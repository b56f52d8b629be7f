# SPDX-License-Identifier: BSD-3-Clause
"""The store of a real gateway: backed up while in use, restored, gone, on a full disk, on a broken one.
Nothing is acknowledged that is not durable, who is registered stays, and what is mended is used again."""

import ctypes
import os
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import BUILD, LabError, wait_for  # noqa: E402
from wic import Sip, Ws, http, lease  # noqa: E402

AGAIN_S = 5  # reliability.md G4: from the repair to the next lease
SHORT = {"registration": {"max": "5s", "client_max": "4s", "client_min": "1s", "guard": "0s"},
         "core": {"timer_f": "1s"},
         "token": {"life": "5s", "anonymous_life": "5s"},
         "lifetimes": {"clock_error": "1s", "t_sip": "1s", "core_slack": "0s"}}


def ask():
    return http("POST", "/v1/lease", {"anonymous": True})


def again():
    """A lease as soon as there is one."""
    def try_it():
        answer = ask()
        return answer.json() if answer.status == 201 else None
    return try_it


class Store(GatewayCase):
    lab_args = {"conf": SHORT, "pool": 8}

    def regated(self, *args):
        return subprocess.run([BUILD + "/controlplane/regated", "--config",
                               self.lab.path("regated.yaml"), *args],
                              capture_output=True, text=True, timeout=30)

    def cli(self, *args):
        return subprocess.run([BUILD + "/controlplane/cli/regatectl", "--socket",
                               self.lab.path("ctl.sock"), *args], capture_output=True, text=True,
                              timeout=30, cwd=self.lab.dir)

    def start_fails(self):
        with self.assertRaises(LabError) as e:
            self.lab.start_regated()
        self.lab.stop(self.lab.regated)
        return str(e.exception)

    def held_back(self, before):
        """All wait for the end of what may have been given out; then they go to new owners."""
        self.assertEqual(ask().status, 503)
        self.assertEqual(http("POST", "/v1/lease/refresh", {}, headers={
            "Authorization": f"Bearer {before['token']}"}).status, 401)
        given = wait_for("a lease after the hold", again(), 40)
        gen = self.lab.ctl("lease", "show", given["impu"])["data"]["gen"]
        self.assertGreater(gen, 1 << 40)

    def test_a_backup_is_restored(self):
        wait_for("a free pair", again(), 60)
        self.assertEqual(self.cli("store", "check").returncode, 0)
        done = self.cli("store", "backup", "kept.db")  # by a path of the operator's
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("done", done.stdout)
        file = self.lab.path("kept.db")
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        self.assertEqual(self.cli("store", "backup", file).returncode, 1)
        self.assertEqual(self.cli("store", "backup", file, "--force").returncode, 0)
        shown = self.lab.ctl("store", "show")["data"]
        self.assertEqual((shown["kind"], shown["up"], shown["schema_version"]), ("sqlite", True, 2))
        self.assertGreater(shown["records"], 0)
        self.assertEqual(shown["backup"]["file"], file)
        busy = self.regated("--restore", file)
        self.assertEqual(busy.returncode, 1)
        self.assertIn("in use by another regated", busy.stderr)
        after = lease()
        self.lab.stop(self.lab.regated, signal.SIGKILL)
        restored = self.regated("--restore", file)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        self.assertIn(".old-1", restored.stdout)
        self.lab.start_regated()
        self.held_back(after)

    def test_a_store_that_is_gone_is_missed(self):
        before = wait_for("a lease", again(), 60)
        self.assertEqual(self.regated("--store-lost").returncode, 1)  # it is in use
        self.lab.stop(self.lab.regated)
        kept = self.regated("--store-lost")
        self.assertEqual(kept.returncode, 1)  # it is there
        self.assertEqual(len(kept.stderr.splitlines()), 1)
        os.unlink(self.lab.path("regate.db"))
        self.assertIn("--store-lost", self.start_fails())
        self.assertFalse(os.path.exists(self.lab.path("regate.db")))
        self.assertEqual(self.regated("--store-lost").returncode, 0)
        self.lab.start_regated()
        self.held_back(before)


def mount_small(lab):
    """A disk of 2 MiB for the store, which only this test and the gateway see."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
        raise LabError(os.strerror(ctypes.get_errno()))
    os.mkdir(lab.path("disk"))
    for args in (["--make-rprivate", "/"],
                 ["-t", "tmpfs", "-o", "size=2m,mode=700", "none", lab.path("disk")]):
        subprocess.run(["mount", *args], check=True)


class Faults(GatewayCase):
    lab_args = {"prepare": mount_small, "pool": 2000, "conf": {
        "store": {"path": "disk/regate.db"}, "registration": {"rate": 1000, "rate_burst": 1000}}}

    def fill(self):
        """Another program takes whatever room there is, until what is returned is set."""
        end, is_full = threading.Event(), threading.Event()

        def take():
            with open(self.lab.path("disk/other"), "wb", buffering=0) as f:
                while not end.is_set():
                    try:
                        f.write(bytes(4096))
                    except OSError:
                        is_full.set()
                        end.wait(0.005)
            os.unlink(self.lab.path("disk/other"))

        thread = threading.Thread(target=take)
        thread.start()
        is_full.wait()
        return end, thread

    def break_disk(self):
        """fsync() fails with EIO from now on, until what is returned ends."""
        proc = subprocess.Popen(
            ["strace", "-f", "-qq", "-p", str(self.lab.regated.pid), "-o", self.lab.path("strace"),
             "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"],
            stdin=subprocess.DEVNULL)
        wait_for("strace", lambda: "TracerPid:\t0\n" not in
                 open(f"/proc/{self.lab.regated.pid}/status").read())
        return proc

    def take(self, given):
        """One more, who may be acknowledged as long as it is durable. Was it?"""
        answer = ask()
        self.assertIn(answer.status, (201, 503))
        if answer.status == 201:
            given.append(answer.json())
        return answer.status == 201

    def check_all(self, given):
        """After kill -9 every lease that was acknowledged is there."""
        self.lab.stop(self.lab.regated, signal.SIGKILL)
        self.lab.start_regated()
        self.assertEqual(len({g["impu"] for g in given}), len(given))
        for g in given[::max(1, len(given) // 20)]:
            shown = self.lab.ctl("lease", "show", g["impu"])["data"]
            self.assertIn(shown["state"], ("offered", "active"))

    def through(self, break_it, mend):
        given = [lease()]
        with Ws() as ws:
            sip = Sip(ws, given[0])
            self.assertEqual(sip.register().status, 200)
            broken = break_it()
            try:
                wait_for("a refusal", lambda: not self.take(given))
                wait_for("the alarm", lambda: not self.lab.ctl("store", "show")["data"]["up"])
                for _ in range(20):  # who is registered stays
                    self.assertEqual(sip.register().status, 200)
                    self.take(given)
            finally:
                mend(broken)
            given.append(wait_for("a lease after the repair", again(), AGAIN_S))
            self.assertEqual(sip.register().status, 200)
        self.assertTrue(self.lab.ctl("store", "show")["data"]["up"])
        self.check_all(given)

    def test_disk_full(self):
        def mend(filler):
            end, thread = filler
            end.set()
            thread.join()
        self.through(self.fill, mend)

    def test_disk_broken(self):
        def mend(proc):
            proc.terminate()
            proc.wait(10)
        self.through(self.break_disk, mend)


if __name__ == "__main__":
    main()
