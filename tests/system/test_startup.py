# SPDX-License-Identifier: BSD-3-Clause
"""What is wrong at start gets one clear line, an exit code, and leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import main  # noqa: E402
from lab import BUILD, CORE, TAP, Lab, enter_new_netns, wait_for  # noqa: E402
from wic import Sip, Ws, http, lease  # noqa: E402

REGATED = BUILD + "/controlplane/regated"


class Startup(unittest.TestCase):
    def setUp(self):
        enter_new_netns()
        self.lab = Lab(pool=4)
        self.lab.make_keys()
        self.lab.make_identities()

    def tearDown(self):
        self.lab.down()

    def refused(self, *phrases, conf=None, text=None, args=(), program=REGATED):
        """Starts regated on a configuration that it must refuse; the one line it says."""
        self.lab.conf_over = conf or {}
        path = self.lab.make_conf() if text is None else self.lab.write("regated.yaml", text)
        before = set(os.listdir(self.lab.dir))
        done = subprocess.run([program, "--config", path, *args], capture_output=True, text=True,
                              timeout=60)
        lines = [x for x in done.stderr.splitlines() if " level=info " not in x]
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(len(lines), 1, done.stderr)
        for phrase in phrases:
            self.assertRegex(lines[0], phrase)
        links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
        self.assertNotIn(TAP, links)
        left = {x for x in os.listdir(self.lab.dir) if x not in before and not x.startswith("regate.db")}
        self.assertEqual(left, set())
        return lines[0]

    def test_no_configuration(self):
        done = subprocess.run([REGATED, "--config", "/nonexistent.yaml"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^/nonexistent\.yaml.*No such file")

    def test_usage(self):
        self.assertEqual(subprocess.run([REGATED, "--nonsense"], capture_output=True).returncode, 2)
        self.assertEqual(subprocess.run([REGATED, "extra"], capture_output=True).returncode, 2)
        self.assertEqual(subprocess.run([REGATED, "--help"], capture_output=True).returncode, 0)

    def test_broken_yaml_names_the_place(self):
        self.refused(r"regated\.yaml:2:\d+: ", text="dataplane:\n  port: a: b\n")

    def test_unknown_key_is_named_with_a_suggestion(self):
        self.refused(r"regated\.yaml:\d+:\d+: .*adress.*address", conf={"dataplane": {"adress": "10.0.0.1"}})

    def test_t22_one_maximum_for_all(self):
        """T22: no WWSF has a maximum registration duration of its own (INV-8)."""
        for key in ("max", "registration_max", "t_reg"):
            self.refused(r"regated\.yaml:\d+:\d+: .*one number for all WWSFs", conf={
                "wwsfs": f"\n  - {{id: demo, origins: [\"https://a.example\"], {key}: 600s}}"})

    def test_bad_value(self):
        self.refused(r"regated\.yaml:\d+:\d+: .*workers", conf={"dataplane": {"workers": 1000}})

    def test_check_config(self):
        self.lab.make_conf()
        done = subprocess.run([REGATED, "--config", self.lab.path("regated.yaml"), "--check-config"],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.refused(r"workers", conf={"dataplane": {"workers": 0}}, args=["--check-config"])
        self.refused("does not match", conf={"tls": {"key": "token.key"}}, args=["--check-config"])

    def test_what_only_a_test_build_does(self):
        for key, value in (("impair", "loss=1"), ("echo", "true")):
            self.refused("regated-test", conf={"test": {key: value}})
            self.refused("regated-test", conf={"test": {key: value}}, args=["--check-config"])
        for impair in ("loss", "loss=101", "loss=1,,dup=1", "loss=1.5", "speed=1", "delay=1001", "=1"):
            self.refused("test.impair", "not understood", conf={"test": {"impair": impair}},
                         program=REGATED + "-test")

    def test_certificate_and_key_do_not_match(self):
        self.refused("token.key", "match", conf={"tls": {"key": "token.key"}})

    def test_missing_files(self):
        self.refused("nowhere.crt", "No such file", conf={"tls": {"certificate": "nowhere.crt"}})
        self.refused("nowhere.pem", "No such file", conf={"token": {"keys": ["nowhere.pem"]}})
        self.refused("nowhere.txt", "No such file", conf={"accounts": {"file": "nowhere.txt"}})

    def test_bad_pool_file_names_the_line(self):
        with open(self.lab.path("pool.txt"), "a") as f:
            f.write("only-one-word\n")
        self.refused(r"pool\.txt:5: ")

    def test_pair_given_twice(self):
        with open(self.lab.path("accounts.txt")) as f:
            text = f.read()
        self.lab.write("accounts.txt", re.sub(r"alice@\S+ sip:alice@", "pool-00001@ims.example.net sip:alice@",
                                              text))
        self.refused("alice", "in use")

    def test_port_that_does_not_exist(self):
        self.refused("dataplane.port", "net_nonsense0", conf={"dataplane": {"port": "net_nonsense0"}})
        self.refused("dataplane.port", "nosuchif", conf={"dataplane": {"port": "net_af_packet0,iface=nosuchif"}})
        self.refused("dataplane.port", "0000:ff:1f.7", conf={"dataplane": {"port": '"0000:ff:1f.7"'}})

    def test_no_hugepages(self):
        self.refused("hugepages", "nr_hugepages=", conf={"dataplane": {"hugepages": "yes",
                                                                       "memory": "65536MiB"}})

    def test_cpu_that_does_not_exist(self):
        self.refused("dataplane.lcores", "999", conf={"dataplane": {"lcores": '"999"'}})

    def test_more_workers_than_memory(self):
        """A port may have fewer queues than there are workers; each needs packet buffers."""
        self.refused(r"dataplane\.memory", "raise it", conf={"dataplane": {"workers": 17, "lcores": '"' + ",".join(["0"] * 17) + '"'}})

    def test_operator_socket_in_use(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(self.lab.path("ctl.sock"))
            s.listen()
            self.refused(r"ctl\.sock", "in use")
            self.assertTrue(os.path.exists(self.lab.path("ctl.sock")))

    def test_core_address_in_use_by_imscore(self):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(CORE)
            s.listen()
            done = subprocess.run([BUILD + "/imscore/regate-imscore", "--listen", "%s:%d" % CORE],
                                  capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("in use", done.stderr)

    def test_store_in_use_by_another_gateway(self):
        self.lab.make_conf()
        self.lab.start_regated()
        with open(self.lab.path("regated.yaml")) as f:
            text = f.read()
        path = self.lab.write("second.yaml", text.replace("ctl.sock", "ctl2.sock").replace(TAP, "dtap1"))
        done = subprocess.run([REGATED, "--config", path], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)
        lines = [x for x in done.stderr.splitlines() if " level=info " not in x]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn("regate.db", lines[0])

    def test_store_in_no_folder(self):
        self.refused("store.path|nowhere", conf={"store": {"path": "nowhere/regate.db"}})

    def test_store_that_is_no_database(self):
        self.lab.write("regate.db", "this is no database, not even a little\n" * 50)
        self.refused(r"regate\.db")

    def test_core_away_when_it_must_be_there(self):
        self.refused("core.address", "127.0.0.1:6060", conf={"core": {"at_start": "require"}})

    def test_core_away_is_said_and_answered(self):
        self.lab.make_conf()
        self.lab.start_regated()
        wait_for("the warning", lambda: "core.unreachable" in self.lab.log("regated"))
        with Ws() as ws:
            self.assertEqual(Sip(ws, lease()).register().status, 504)
        self.assertEqual(http("GET", "/").status, 200)
        self.lab.core_kind = "imscore"
        self.lab.start_core()
        with Ws() as ws:
            self.assertEqual(Sip(ws, lease()).register().status, 200)

    def test_signals_end_it_in_good_order(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            self.lab.make_conf()
            proc = self.lab.start_regated()
            self.assertEqual(self.lab.stop(proc, sig), 0, self.lab.log("regated"))
            self.assertFalse(os.path.exists(self.lab.path("ctl.sock")))
            links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
            self.assertNotIn(TAP, links)


if __name__ == "__main__":
    main()
