# SPDX-License-Identifier: BSD-3-Clause
"""testssl.sh finds nothing of medium severity or above, and no exception is made but for what it cannot
find out."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from case import GatewayCase, main  # noqa: E402
from lab import DOMAIN, GATEWAY_IP  # noqa: E402


def certify(lab):
    """A certificate as an operator would have: of an authority, with a list of those revoked."""
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    lab.write("v3", f"subjectAltName=IP:{GATEWAY_IP},DNS:epcscf1.{DOMAIN}\nkeyUsage=digitalSignature\n"
              "extendedKeyUsage=serverAuth\ncrlDistributionPoints=URI:http://crl.invalid/test.crl\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "100", "-subj", "/CN=test authority", "-keyout", lab.path("ca.key"),
                    "-out", lab.path("ca.crt")], **quiet)
    subprocess.run(["openssl", "req", "-new", "-key", lab.path("tls.key"), "-subj", f"/CN=epcscf1.{DOMAIN}", "-out",
                    lab.path("tls.csr")], **quiet)
    subprocess.run(["openssl", "x509", "-req", "-in", lab.path("tls.csr"), "-CA", lab.path("ca.crt"),
                    "-CAkey", lab.path("ca.key"), "-days", "90", "-extfile", lab.path("v3"), "-out",
                    lab.path("tls.crt")], **quiet)


# Its client hangs up right behind its Finished, and may have no ticket by then, from openssl s_server as
# from us. test_tls_certs.py resumes.
UNSURE = ("sessionresumption_ticket", "WARN", "check failed because of connect problem")


class Opinion(GatewayCase):
    lab_args = {"prepare": certify}

    def test_testssl(self):
        out = self.lab.path("testssl.json")
        subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--connect-timeout", "5",
                        "--openssl-timeout", "5", "--add-ca", self.lab.path("ca.crt"), "--jsonfile", out,
                        f"{GATEWAY_IP}:443"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=300)
        with open(out) as f:
            findings = json.load(f)
        bad = [(x["id"], x["severity"], x["finding"]) for x in findings
               if x["severity"] not in ("OK", "INFO", "LOW")]
        self.assertEqual([x for x in bad if x != UNSURE], [])
        # It got to the end, and to us.
        by_id = {x["id"]: x["finding"] for x in findings}
        self.assertIn("offered with final", by_id["TLS1_3"])
        self.assertEqual(by_id["TLS1_2"], "not offered")
        self.assertGreater(len(findings), 100)


if __name__ == "__main__":
    main()
