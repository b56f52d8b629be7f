# SPDX-License-Identifier: BSD-3-Clause
# Does the load bench still fit the gateway it drives? Each measurement, small and short: it must end
# well, print JSON, and have an answer to each request. No time is looked at.
# usage: bench_smoke.py [TEST...] REGATE-BENCH none|SANITIZERS
import json
import subprocess
import sys
import unittest

CONNS, REQUESTS, RUNS = 200, 600, 2


def bench(measurement, *options):
    done = subprocess.run(
        [BENCH, measurement, '--conns', str(CONNS), '--requests', str(REQUESTS), '--runs', str(RUNS),
         *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f'exit {done.returncode}: {done.stderr.decode()}')
    return json.loads(done.stdout)


class Refresh(unittest.TestCase):
    def check(self, report, packets):
        self.assertEqual(report['conns'], CONNS)
        self.assertEqual(report['answers'], REQUESTS * (RUNS + 1))  # one run warms up
        self.assertGreater(report['answers_opened'], 0)
        self.assertGreaterEqual(report['packets_per_refresh']['min'], packets)
        # An established connection costs no malloc(). Under a sanitizer nobody counts.
        self.assertEqual(report['heap_bytes'], None if SANITIZER != 'none' else 0)

    def test_ack_per_answer(self):
        self.check(bench('refresh'), 3)

    def test_acks_after(self):
        self.check(bench('refresh', '--acks', 'after'), 2)

    def test_two_processes(self):
        self.check(bench('refresh', '--port', 'memif'), 3)


class Memory(unittest.TestCase):
    def test_two_sizes(self):
        report = bench('memory')
        self.assertEqual([run['conns'] for run in report['runs']], [CONNS // 10, CONNS])
        self.assertIn('slope_bytes_per_conn', report)


class Handshake(unittest.TestCase):
    def test_all_come_to_their_end(self):
        report = bench('handshake', '--requests', '20')
        self.assertEqual(report['done'], 20 * RUNS)


class Latency(unittest.TestCase):
    def test_all_are_answered(self):
        report = bench('latency', '--rate', '20000')
        for part in 'alone', 'amid_handshakes':
            self.assertEqual(report[part]['answers'], REQUESTS)
        self.assertGreater(report['amid_handshakes']['handshakes'], 0)


class Flood(unittest.TestCase):
    def test_nothing_is_lost_or_kept(self):
        report = bench('flood')
        self.assertGreater(report['syns'], REQUESTS)
        self.assertEqual(report['answers'], REQUESTS)
        self.assertEqual(report['new_opened'], REQUESTS // 8)
        self.assertEqual(report['slots_after'], CONNS + REQUESTS // 8)


if __name__ == '__main__':
    SANITIZER = sys.argv.pop()
    BENCH = sys.argv.pop()
    unittest.main()
