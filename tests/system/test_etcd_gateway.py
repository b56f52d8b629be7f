# SPDX-License-Identifier: BSD-3-Clause
"""A gateway whose store is etcd: what survives, what goes on while etcd is away, and what it says when
it cannot start."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from etcd_lab import Cluster  # noqa: E402
from lab import BUILD, Lab, enter_new_netns, wait_for  # noqa: E402
from wic import Sip, Ws, http, lease  # noqa: E402

REGATED = BUILD + "/controlplane/regated"


def conf(endpoints, **more):
    return {"store": {"path": None, "type": "etcd",
                      "endpoints": "[" + ", ".join(f'"{e}"' for e in endpoints) + "]", **more}}


def prepare(lab):
    """etcd runs in the namespace of the gateway."""
    lab.etcd = Cluster(lab.path("etcd"))
    lab.etcd.start(n=3)
    lab.conf_over = conf(lab.etcd.endpoints)
    lab.make_conf()


class Gateway(GatewayCase):
    lab_args = {"pool": 50, "prepare": prepare}

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.lab.etcd.stop()

    def is_up(self):
        return self.lab.ctl("status")["data"]["store"]["up"]

    def test_lease_survives_a_crash(self):
        given = lease()
        with Ws() as ws:
            self.assertEqual(Sip(ws, given).register().status, 200)
        before = self.lab.ctl("lease", "show", given["impu"])["data"]
        self.lab.stop(self.lab.regated, signal.SIGKILL)
        self.lab.start_regated()
        after = self.lab.ctl("lease", "show", given["impu"])["data"]
        self.assertEqual([before[k] for k in ("gen", "impi", "impu")],
                         [after[k] for k in ("gen", "impi", "impu")])
        with Ws() as ws:
            self.assertEqual(Sip(ws, given).register().status, 200)

    def test_name_is_taken(self):
        """Another gateway with this one's name."""
        done = subprocess.run([REGATED, "--config", self.lab.path("regated.yaml")], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr.splitlines()[-1]), (1, (
            "regated: gateway.id: a gateway named 'epcscf1.ims.example.net:5060' is running with the same "
            "store (/regate/); end it, or give each its own gateway.id")))
        self.assertIsNone(self.lab.regated.poll())

    def test_name_is_lost(self):
        """It slept, and its name went to another one."""
        os.kill(self.lab.regated.pid, signal.SIGSTOP)
        with open(self.lab.path("regated.yaml")) as f:
            self.lab.write("twin.yaml", f.read().replace("ctl.sock", "twin.sock").replace(
                "net_tap0,iface=dtap0", "net_tap1,iface=dtap1"))
        twin = self.lab.start("twin", [REGATED, "--config", self.lab.path("twin.yaml")])
        wait_for("start of the other one", lambda: os.path.exists(self.lab.path("twin.sock")))
        os.kill(self.lab.regated.pid, signal.SIGCONT)
        self.assertEqual(self.lab.regated.wait(20), 1)
        self.assertIn("regated: gateway.id: another gateway took the name 'epcscf1.ims.example.net:5060'",
                      self.lab.log("regated"))
        self.assertEqual(self.lab.stop(twin), 0)
        self.lab.start_regated()

    def test_etcd_away(self):
        given = lease()
        with Ws() as ws:
            sip = Sip(ws, given)
            self.assertEqual(sip.register().status, 200)
            stopped = self.lab.etcd.members[1:]
            for m in stopped:
                os.kill(m.pid, signal.SIGSTOP)
            try:
                wait_for("the gateway's notice", lambda: not self.is_up())
                answer = http("POST", "/v1/lease", {"anonymous": True})
                self.assertEqual(answer.status, 503)
                self.assertIn("retry-after", {k.lower() for k in answer.headers})
                self.assertEqual(sip.register().status, 200)
            finally:
                for m in stopped:
                    os.kill(m.pid, signal.SIGCONT)
            wait_for("etcd's return", self.is_up)
            self.assertNotEqual(lease()["impu"], given["impu"])
            self.assertEqual(sip.register().status, 200)


class Lost(GatewayCase):
    """etcd came back from a snapshot, or empty: nobody knows what was given out since."""

    TIMES = {"token": {"life": "12s", "anonymous_life": "12s"},
             "registration": {"client_min": "5s", "client_max": "10s", "guard": "1s", "max": "10s"},
             "core": {"timer_f": "1s"},
             "lifetimes": {"t_sip": "1s", "core_slack": "2s", "release_guard": "1s", "clock_error": "1s"}}
    HOLD_S = 12 + 1 + 1 + 10 + 2  # ims.md INV-11

    @classmethod
    def prepare(cls, lab):
        lab.etcd = Cluster(lab.path("etcd"))
        lab.etcd.start(n=1)
        lab.conf_over = {**conf(lab.etcd.endpoints), **cls.TIMES}
        lab.make_conf()

    @classmethod
    def setUpClass(cls):
        cls.lab_args = {"pool": 2, "prepare": cls.prepare}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.lab.etcd.stop()

    def store_lost(self):
        return subprocess.run([REGATED, "--config", self.lab.path("regated.yaml"), "--store-lost"],
                              capture_output=True, text=True, timeout=60)

    def held_back(self):
        answer = http("POST", "/v1/lease", {"anonymous": True})
        self.assertEqual(answer.status, 503)
        self.assertIn("retry-after", answer.headers)

    def test_store_lost(self):
        """Said so: from the next start on nothing is given out until all of before must be over."""
        given = lease()
        before = self.lab.ctl("lease", "show", given["impu"])["data"]["gen"]
        done = self.store_lost()
        self.assertEqual(done.returncode, 1, done.stdout)  # while the gateway runs
        self.assertIn("is running", done.stderr)
        self.lab.stop(self.lab.regated)
        done = self.store_lost()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, (
            "store.prefix: /regate: counts as lost; from the next start on no pair is given out until all "
            "leases of before are over\n"))
        self.lab.start_regated()
        with Ws() as ws:
            self.assertEqual(Sip(ws, given).register().status, 401)
        self.held_back()
        self.lab.stop(self.lab.regated)
        self.lab.start_regated()
        self.held_back()  # another start does not forget that
        wait_for("the end of the hold", lambda: http("POST", "/v1/lease", {"anonymous": True}).status == 201,
                 self.HOLD_S + 10)
        self.assertGreater(self.lab.ctl("lease", "list")["data"]["leases"][0]["gen"], before + 2 ** 40)


class Startup(unittest.TestCase):
    def setUp(self):
        enter_new_netns()
        self.lab = Lab(pool=4)
        self.lab.make_keys()
        self.lab.make_identities()
        self.folder = tempfile.mkdtemp(prefix="regate-etcd-")
        self.etcd = Cluster(self.folder)

    def tearDown(self):
        self.etcd.stop()
        self.lab.down()
        shutil.rmtree(self.folder)

    def refused(self, phrase, **conf_args):
        """Starts regated, which must end with one line that says so."""
        self.lab.conf_over = conf(**conf_args)
        done = subprocess.run([REGATED, "--config", self.lab.make_conf()], capture_output=True, text=True,
                              timeout=60)
        lines = [x for x in done.stderr.splitlines() if " level=info " not in x]
        self.assertEqual((done.returncode, len(lines)), (1, 1), done.stderr)
        self.assertRegex(lines[0], phrase)

    def control(self, *args):
        subprocess.run(["etcdctl", "--endpoints", self.etcd.endpoints[0], *args], check=True,
                       env={**os.environ, "ETCDCTL_API": "3"}, stdout=subprocess.DEVNULL)

    def test_no_etcd(self):
        self.refused(r"store\.endpoints: no etcd with a leader at http://127\.0\.0\.1:9 .*start it",
                     endpoints=["http://127.0.0.1:9"])

    def test_missing_files(self):
        self.refused(r"store\.ca: .*none\.pem: No such file", endpoints=["http://127.0.0.1:9"],
                     ca="none.pem")

    def test_another_format(self):
        self.etcd.start(n=1)
        self.control("put", "/regate/value/format", "2")
        self.refused(r"store\.prefix: what is under /regate/ was written by another version",
                     endpoints=self.etcd.endpoints)

    def test_users(self):
        self.etcd.start(n=1)
        for args in ("user add root:toor", "user add gw:secret", "user grant-role root root",
                     "role add gw", "role grant-permission gw --prefix=true readwrite /regate/",
                     "user grant-role gw gw", "auth enable"):
            self.control(*args.split())
        ends = self.etcd.endpoints
        self.lab.write("right", "secret\n")
        self.lab.write("wrong", "guess\n")
        self.refused(r"store\.user: etcd refuses user '' .*user name is empty", endpoints=ends)
        self.refused(r"store\.user: etcd refuses user 'gw' .*invalid user ID or password", endpoints=ends,
                     user="gw", password_file="wrong")
        self.refused(r"store\.user: .* keys under /elsewhere/ .*permission denied", endpoints=ends,
                     user="gw", password_file="right", prefix="/elsewhere")
        # The login is fine: the core is what is missing now.
        self.lab.conf_over = {**conf(ends, user="gw", password_file="right"), "core": {"at_start": "require"}}
        done = subprocess.run([REGATED, "--config", self.lab.make_conf()], capture_output=True, text=True,
                              timeout=60)
        self.assertRegex(done.stderr, r"core\.address: no core")

    def test_tls(self):
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        for name in ("ca", "other"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                            "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                            self.lab.path(f"{name}.key"), "-out", self.lab.path(f"{name}.crt")], **quiet)
        ca, key = self.lab.path("ca.crt"), self.lab.path("ca.key")
        self.etcd.start(n=1, scheme="https", options=[
            "--cert-file", ca, "--key-file", key, "--client-cert-auth", "--trusted-ca-file", ca])
        ends = self.etcd.endpoints
        self.refused(r"store\.endpoints: https://127\.0\.0\.1:\d+ is not trusted", endpoints=ends,
                     ca="other.crt")
        self.refused(r"store\.", endpoints=ends, ca="ca.crt")
        self.lab.conf_over = {**conf(ends, ca="ca.crt", certificate="ca.crt", key="ca.key"),
                              "core": {"at_start": "require"}}
        done = subprocess.run([REGATED, "--config", self.lab.make_conf()], capture_output=True, text=True,
                              timeout=60)
        self.assertRegex(done.stderr, r"core\.address: no core")


if __name__ == "__main__":
    main()
