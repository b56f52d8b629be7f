# SPDX-License-Identifier: BSD-3-Clause
# Does the bench still fit the gateway it drives? Each measurement, small and short: it must end well,
# give a result as the schema says, and have an answer to each request. No time is looked at.
# usage: bench_smoke.py [TEST...] REGATE-BENCH none|SANITIZERS
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/lib'))
import json_schema  # noqa: E402

SCHEMA = json.loads((ROOT / 'bench/run/result.schema.json').read_text())
CONNS, REQUESTS, RUNS = 200, 600, 2
# Others may take the last hugepages between a look at them and their use.
SMALL = {'conns': CONNS, 'requests': REQUESTS, 'runs': RUNS, 'hugepages': 'no'}


def command(*args, want=0):
    done = subprocess.run([BENCH, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=400)
    if done.returncode != want:
        raise AssertionError(f'exit {done.returncode}: {done.stderr.decode()}')
    return done


def check(report):
    wrong = list(json_schema.errors(SCHEMA, report))
    if wrong:
        raise AssertionError('\n'.join(wrong))
    return report


def bench(scenario, want=0, **keys):
    sets = [arg for key, value in (SMALL | keys).items() for arg in ('--set', f'{key}={value}')]
    return check(json.loads(command('run', scenario, *sets, '--json', '-', want=want).stdout))


def series(report, name):
    return next(s for s in report['series'] if s['name'] == name)


# What a refresh passes.
STAGES = ['lease', 'poll', 'rx', 'sip', 'tcp', 'tls', 'tx', 'ws']


class Refresh(unittest.TestCase):
    def check_stages(self, report):
        hists = {h['name'][6:]: h for h in report['histograms'] if h['name'].startswith('stage_')}
        self.assertEqual(sorted(hists), STAGES)
        for name in STAGES:
            self.assertGreater(hists[name]['count'], 0, name)
            self.assertGreater(hists[name]['mean'], 0, name)
        for run in range(RUNS):
            shares = [series(report, f'stage_{name}_share')['values'][run] for name in STAGES]
            self.assertAlmostEqual(sum(shares), 1, delta=0.001)
        # Each of a timed refresh was opened, unmasked, parsed, decided.
        self.assertEqual({hists[name]['count'] for name in ('tls', 'ws', 'sip', 'lease')},
                         {hists['lease']['count']})

    def check(self, report, packets):
        counters = report['counters']
        self.assertFalse(report['partial'])
        self.assertEqual(counters['connections'], CONNS)
        # One run for the first refresh of each client, one that warms up.
        self.assertEqual(counters['answers'], REQUESTS * (RUNS + 2))
        self.assertGreater(counters['answers_looked_at'], 0)
        self.assertEqual(len(series(report, 'ns_per_refresh')['values']), RUNS)
        self.assertEqual(len(series(report, 'generator_busy')['values']), RUNS)
        self.assertGreaterEqual(series(report, 'packets_per_refresh')['min'], packets)
        # An established connection costs no malloc(). Under a sanitizer nobody counts.
        self.assertEqual(counters.get('heap_bytes'), None if SANITIZER != 'none' else 0)

    def test_ack_per_answer(self):
        self.check(bench('refresh'), 3)

    def test_acks_after(self):
        self.check(bench('refresh', acks='after'), 2)

    def test_stages(self):
        self.check_stages(bench('refresh', requests=20000, window=8))

    def test_two_processes(self):
        self.check(bench('refresh', driver='memif'), 3)

    def test_open_loop(self):
        report = bench('refresh', rate=20000)
        self.check(report, 3)
        self.assertEqual(report['scenario']['loop'], 'open')
        latency = report['histograms'][0]
        self.assertEqual(latency['count'], REQUESTS * RUNS)
        self.assertEqual(sum(b[2] for b in latency['buckets']), REQUESTS * RUNS)

    def test_search(self):
        report = bench('refresh_rate', **{'search.loss': '0.025'})
        rates = series(report, 'highest_rate')['values']
        self.assertEqual(len(rates), RUNS)
        self.assertGreaterEqual(report['counters']['trials'], len(rates))


class Nic(unittest.TestCase):
    def run_over_veth(self, port='', **more):
        veth = ('ip link add veth0 type veth peer name veth1 && ip link set veth0 up && '
                'ip link set veth1 up && exec "$@"')
        keys = {'driver': 'nic', 'port': 'net_af_packet0,iface=veth0' + port,
                'generator_port': 'net_af_packet1,iface=veth1' + port} | SMALL | more
        done = subprocess.run(
            ['unshare', '-n' if os.geteuid() == 0 else '-rn', 'sh', '-c', veth, 'sh', BENCH, 'refresh', '--json', '-',
             *(arg for key, value in keys.items() for arg in ('--' + key, str(value)))],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=400)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = check(json.loads(done.stdout))
        self.assertEqual(report['facts']['port'], 'net_af_packet')
        return report['counters']

    def test_two_ports_of_a_cable(self):
        counters = self.run_over_veth(conns=50, window=8)  # it drops bursts, but not of so few
        self.assertEqual(counters['answers'], REQUESTS * (RUNS + 2))

    def test_what_a_port_lost_is_sent_again(self):
        # Room for the last packets of all handshakes, which nobody sends again, and not for the window's.
        counters = self.run_over_veth(port=',framecnt=64,blocksz=131072', conns=16, requests=2000, window=64)
        self.assertEqual(counters['answers'], 2000 * (RUNS + 2))
        self.assertGreater(counters['generator_tcp_retransmits'], 0)
        self.assertNotIn('connections_ended', {k for k, v in counters.items() if v > 0})


class Memory(unittest.TestCase):
    def test_two_sizes(self):
        report = bench('memory', runs=1)
        self.assertEqual(len(series(report, 'slope_bytes_per_conn')['values']), 1)
        self.assertGreater(series(report, 'bytes_per_conn')['median'], 0)


class Handshake(unittest.TestCase):
    def test_all_come_to_their_end(self):
        report = bench('handshake', requests=20)
        self.assertEqual(report['counters']['handshakes'], 20 * RUNS)
        self.assertEqual(report['counters']['connections'], CONNS + 20 * (RUNS + 1))


class Latency(unittest.TestCase):
    def test_all_are_answered(self):
        report = bench('latency', rate=20000)
        for hist in report['histograms']:
            self.assertEqual(hist['count'], REQUESTS * RUNS)
        self.assertEqual([h['name'] for h in report['histograms']], ['alone', 'amid_handshakes'])
        self.assertGreater(report['counters']['handshakes'], 0)


class Flood(unittest.TestCase):
    def test_nothing_is_lost_or_kept(self):
        report = bench('flood')
        counters = report['counters']
        self.assertGreater(counters['syns'], REQUESTS)
        self.assertEqual(series(report, 'answered_share')['min'], 1)
        self.assertEqual(counters['new_opened'], REQUESTS // 8 * RUNS)
        self.assertEqual(counters['slots_after'], CONNS + REQUESTS // 8 * (RUNS + 1))


def read_text(path):
    return pathlib.Path(path).read_text()


class Early(unittest.TestCase):
    def end(self, end, *args):
        """Runs at a slow rate; end(process) in the third run. Its result."""
        with tempfile.TemporaryDirectory() as folder:
            file, hgrm = os.path.join(folder, 'r.json'), os.path.join(folder, 'r.hgrm')
            command = [BENCH, 'refresh', '--conns', '100', '--requests', '400', '--runs', '101', '--rate', '2000', '--hugepages', 'no',
                       '--json', file, '--hgrm', hgrm, *args]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as bench:
                watchdog = threading.Timer(60, bench.kill)
                watchdog.start()
                said = []
                for line in bench.stderr:
                    said.append(line)
                    if line.startswith('run 3 of'):
                        end(bench)
                        break
                said.append(bench.stderr.read())
                self.assertEqual(bench.wait(), 3, ''.join(said))
                watchdog.cancel()
            report = check(json.loads(read_text(file)))
            self.assertTrue(report['partial'])
            self.assertGreaterEqual(len(series(report, 'ns_per_refresh')['values']), 2)
            self.assertRegex(read_text(hgrm), r'(?m)^#\[Max .* Total count')
        return report

    def test_interrupted(self):
        report = self.end(lambda bench: bench.send_signal(signal.SIGINT))
        self.assertEqual(report['why'], 'interrupted')

    def test_the_gateway_dies(self):
        def kill_gateway(bench):
            children = read_text(f'/proc/{bench.pid}/task/{bench.pid}/children').split()
            os.kill(int(children[0]), signal.SIGKILL)

        report = self.end(kill_gateway, '--driver', 'memif')
        self.assertEqual(report['why'], "the gateway's process ended under refreshes")


class CommandLine(unittest.TestCase):
    def test_a_bad_key_names_its_place_and_cure(self):
        with tempfile.NamedTemporaryFile('w', suffix='.yaml') as f:
            f.write('driver: ring\nkind: refresh\ncons: 5\n')
            f.flush()
            self.assertEqual(command('run', f.name, want=2).stderr.decode(),
                             f"{f.name}:3:1: key 'cons' unknown, did you mean 'conns'?\n")

    def test_a_name_that_is_none(self):
        for args in ['run', 'nope'], ['nope']:
            self.assertIn(b"nope", command(*args, want=2).stderr)
            self.assertIn(b"list`", command(*args, want=2).stderr)

    def test_nothing_is_measured_when_it_cannot_be_kept(self):
        done = command('run', 'refresh', '--json', '/nowhere/r.json', want=2)
        self.assertIn(b'/nowhere/r.json', done.stderr)

    def test_a_port_that_is_not_there(self):
        done = command('run', 'refresh', '--set', 'driver=nic', '--set', 'port=net_af_packet0,iface=nope0',
                       '--set', 'generator_port=net_af_packet1,iface=nope1', want=1)
        self.assertIn(b"port: 'net_af_packet0,iface=nope0' does not exist", done.stderr)

    def test_list_says_something_of_each(self):
        lines = command('list').stdout.decode().splitlines()
        self.assertEqual(len(lines), len(list((ROOT / 'bench/scenarios').glob('*.yaml'))))
        for line in lines:
            self.assertRegex(line, r'^\S+ +(ring|memif|nic|socket) +\S')

    def test_readme_has_the_keys(self):
        table = command('keys', '--markdown').stdout.decode()
        self.assertIn(table, (ROOT / 'bench/run/README.md').read_text())

    def test_doctor_judges_and_says_the_cure(self):
        done = subprocess.run([BENCH, 'doctor', '--cpus', '0', '--json'], stdout=subprocess.PIPE, timeout=60)
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if report['ok'] else 1)
        self.assertEqual(report['ok'], all(c['verdict'] != 'distorts' for c in report['checks']))
        for c in report['checks']:
            self.assertEqual(c['cure'] is not None, c['verdict'] == 'distorts', c)

    def test_help(self):
        text = command('--help').stdout.decode()
        for name in 'run', 'list', 'keys', 'doctor':
            self.assertRegex(text, re.compile(f'^  {name}\\b', re.M))


if __name__ == '__main__':
    SANITIZER = sys.argv.pop()
    BENCH = sys.argv.pop()
    unittest.main()
