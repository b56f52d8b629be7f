# SPDX-License-Identifier: BSD-3-Clause
# What becomes of results of the bench: `regate-bench compare` and bench/report, fed with results as they
# are written, with what was made of them by hand, and with files that are none. No time is looked at.
# usage: bench_report.py [TEST...] REGATE-BENCH
import copy
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPORT = ROOT / 'bench/report/report.py'
SMALL = {'conns': 200, 'requests': 600, 'runs': 4}
VOID = {'meta', 'line', 'path', 'rect', 'circle', 'br', 'link'}


def setUpModule():
    global FOLDER, REAL
    FOLDER = tempfile.TemporaryDirectory()
    REAL = {}
    for scenario, keys in (('refresh', {}), ('memory', {'runs': 1}), ('latency', {'rate': 20000}),
                           ('handshake', {'requests': 10})):
        sets = [arg for key, value in (SMALL | keys).items() for arg in ('--set', f'{key}={value}')]
        file = os.path.join(FOLDER.name, scenario + '.json')
        done = subprocess.run([BENCH, 'run', scenario, *sets, '--json', file], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=120)
        if done.returncode != 0:
            raise AssertionError(f'{scenario}: exit {done.returncode}: {done.stderr.decode()}')
        REAL[scenario] = json.loads(pathlib.Path(file).read_text())


def tearDownModule():
    FOLDER.cleanup()


def write(name, doc):
    path = os.path.join(FOLDER.name, name)
    pathlib.Path(path).write_text(doc if isinstance(doc, str) else json.dumps(doc))
    return path


def real(scenario):
    return os.path.join(FOLDER.name, scenario + '.json')


def program(*args, want=0):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, text=True)
    if done.returncode != want:
        raise AssertionError(f'{args}: exit {done.returncode}, {want} is wanted\n{done.stdout}{done.stderr}')
    return done


def compare(*args, want=0):
    return program(BENCH, 'compare', *args, want=want)


def report(*args, want=0):
    return program('/usr/bin/python3', str(REPORT), *args, want=want)


def refresh(ns, limit=700.0, n_slow=0, **counters):
    """The real result of refreshes with other runs in it: steady but for a per mille, n_slow of them slow."""
    doc = copy.deepcopy(REAL['refresh'])
    runs = [1 + 0.0002 * (i * 5 % 7) for i in range(7)]
    values = {'ns_per_refresh': [ns * r * (1.5 if i < n_slow else 1) for i, r in enumerate(runs)],
              'limit_ns': [limit * r for r in reversed(runs)]}
    values['ratio_to_limit'] = [b / a for a, b in zip(values['ns_per_refresh'], values['limit_ns'])]
    values['refreshes_per_s'] = [1e9 / v for v in values['ns_per_refresh']]
    doc['series'] = [{**s, 'values': values[s['name']]} for s in doc['series'] if s['name'] in values]
    doc['counters'] = {**doc['counters'], 'involuntary_switches': 0, **counters}
    return doc


class Compare(unittest.TestCase):
    def verdicts(self, done):
        found = json.loads(done.stdout)
        return {s['name']: s['verdict'] for s in found['series'] if s['verdict']}

    def test_real_results(self):
        for scenario in REAL:  # four runs, and one of memory, are not enough to tell
            compare(real(scenario), real(scenario), want=3)

    def test_no_difference(self):
        a, b = write('a.json', refresh(2000)), write('b.json', refresh(2000.5))
        self.assertRegex(compare(a, b).stdout, r'ns_per_refresh .* no difference \(within \+-1\.\d %\)')
        self.assertIn('(1 measure judged)', compare(a, b).stdout)  # rate and ratio follow from the time

    def test_worse_and_better(self):
        a, b = write('a.json', refresh(2000)), write('b.json', refresh(2200))
        done = compare('--json', a, b, want=1)
        verdicts = self.verdicts(done)
        self.assertRegex(verdicts['ns_per_refresh']['text'], r'^slower by 10\.\d % \(\d\.\d to 11\.\d\)$')
        self.assertEqual(verdicts['ratio_to_limit']['word'], 'less')
        self.assertEqual(json.loads(done.stdout)['end'], 'worse')
        self.assertEqual(json.loads(compare('--json', b, a).stdout)['end'], 'better')

    def test_machine_that_is_slower_by_itself(self):
        a, b = write('a.json', refresh(2000, 700)), write('b.json', refresh(2400, 840))
        self.assertEqual(self.verdicts(compare('--json', a, b))['ns_per_refresh']['word'], 'same')

    def test_in_turn(self):
        slow = [write(f's{i}.json', refresh(2200 + i)) for i in range(4)]
        fast = [write(f'f{i}.json', refresh(2000 + i, n_slow=5)) for i in range(4)]  # the best runs count
        done = compare(','.join(fast), ','.join(slow), want=1)
        self.assertRegex(done.stdout, r'ns_per_refresh .* slower by (9\.9|10\.\d) %')
        compare(','.join(fast[:3]), ','.join(slow[:3]), want=3)

    def test_clock_of_a_busy_machine(self):
        a, b = refresh(2000), refresh(2000, involuntary_switches=10 ** 9)
        for doc, rate in (a, 5e5), (b, 2e5):
            doc['series'].append({'name': 'refreshes_per_s_wall', 'unit': '1/s', 'better': 'higher',
                                  'values': [rate] * 7, 'median': rate, 'min': rate, 'max': rate})
        done = compare(write('a.json', a), write('b.json', b))
        self.assertRegex(done.stdout, r'_wall .*not judged: other processes had the CPUs')
        b['counters']['involuntary_switches'] = 0
        compare(write('a.json', a), write('b.json', b), want=1)

    def test_other_conditions(self):
        a, b = refresh(2000), refresh(2000)
        b['scenario']['conns'] = 7
        b['environment']['flags'] = '-O0'
        args = write('a.json', a), write('b.json', b)
        self.assertRegex(compare(*args, want=2).stderr, r'scenario\.conns differs: 200 and 7; .*--anyway')
        done = compare('--anyway', *args)
        self.assertIn('not comparable: scenario.conns differs', done.stdout)
        self.assertIn('note: environment.flags differs', done.stdout)

    def test_bad_input(self):
        good = write('a.json', refresh(2000))
        for name, doc, place in broken():
            with self.subTest(name):
                done = compare(good, write(name, doc), want=2)
                self.assertEqual(done.stdout, '')
                self.assertRegex(done.stderr, rf'^regate-bench: compare: \S*{name}:.*{place}.*\n$')
        self.assertRegex(compare(good, '/nowhere.json', want=2).stderr, '/nowhere.json: cannot be read: No such file')
        for args in (good,), (good, good, good), ('--within', 'x', good, good), ('--nothing', good, good):
            self.assertIn('usage:', compare(*args, want=2).stderr)


def broken():
    """(file, what is in it, the place that the message has to name)"""
    def without(*path, value=None):
        doc = copy.deepcopy(REAL['latency'])
        at = doc
        for key in path[:-1]:
            at = at[key]
        if value is None:
            del at[path[-1]]
        else:
            at[path[-1]] = value
        return doc

    return [
        ('empty.json', '', '1:'), ('text.json', 'not\njson', '1:'), ('cut.json', json.dumps(REAL['refresh'])[:-9], ''),
        ('list.json', '[]', 'schema'), ('other.json', {'schema': 'x/1'}, 'schema'),
        ('env.json', without('environment'), 'environment'), ('series.json', without('series', value={}), 'series'),
        ('unit.json', without('series', 0, 'unit'), r'series\[0\]'),
        ('better.json', without('series', 1, 'better', value='up'), r'series\[1\]\.better'),
        ('none.json', without('series', 0, 'values', value=[]), r'series\[0\]\.values'),
        ('word.json', without('series', 0, 'values', value=['fast']), r'series\[0\]\.values'),
        ('bucket.json', without('histograms', 0, 'buckets', 0, value=[1, 2]), r'histograms\[0\]\.buckets'),
    ]


class Page(html.parser.HTMLParser):
    """Every tag has its end; what a reader or a screen reader gets."""

    def __init__(self, text):
        super().__init__()
        self.open, self.count, self.ids, self.refs, self.words = [], {}, set(), [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.count[tag] = self.count.get(tag, 0) + 1
        if 'id' in attrs:
            assert attrs['id'] not in self.ids, attrs['id']
            self.ids.add(attrs['id'])
        self.refs += attrs.get('aria-labelledby', '').split()
        assert not {'src', 'href'} & set(attrs), attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f'{tag} at {self.getpos()}'

    def handle_data(self, data):
        self.words.append(data)


def page(*args):
    text = report(*args).stdout
    found = Page(text)
    assert not found.open and set(found.refs) <= found.ids
    return found, text


def peer(who, ns, conns):
    doc = refresh(ns)
    doc['scenario'].update(name=f'refresh-{who}', driver='socket', conns=conns)
    doc['facts'].update(participant=who, target_cpu_share=0.5, target_bytes_per_conn=285000)
    doc['series'] = [s for s in doc['series'] if s['name'] == 'refreshes_per_s']
    return write(f'{who}-{conns}.json', doc)


class Report(unittest.TestCase):
    def all(self):
        more = refresh(2500)
        more['scenario']['conns'] = 5000
        more['tracks'] = [{'name': 'registered_again', 'unit': '1', 'step_ms': 100, 'values': [0, 3, 9, 200]}]
        return [*map(real, REAL), write('more.json', more), peer('kamailio', 20000, 1000),
                peer('kamailio', 10000, 500), peer('nginx', 40000, 1000)]

    def test_has_every_figure(self):
        found, text = page('--title', '<b>&"', *self.all())
        for figure in ('limit', 'connections', 'peers-refresh', 'memory', 'latency-2', 'stages-0', 'track-4-0'):
            self.assertIn(figure, found.ids)
        for part in 'title', 'desc', 'svg', 'figcaption', 'figure':
            self.assertEqual(found.count[part] - (part == 'title'), found.count['svg'])
        self.assertGreater(found.count['table'], found.count['svg'])  # one for each figure, and more
        self.assertIn('&lt;b&gt;&amp;', text)
        self.assertNotRegex(text, r'https?://|@import|url\(|<script|nan|inf[^aeolrut]')

    def test_says_what_to_doubt(self):
        doc = refresh(2000, involuntary_switches=10 ** 6, bad_answers=3)
        doc.update(partial=True, why='interrupted', errors=[{'text': 'a <thing> broke', 'count': 2}])
        words = ''.join(page(write('doubt.json', doc))[0].words)
        for text in ('ended early: interrupted', 'error, 2 times: a <thing> broke', '3 answers were wrong',
                     'Other processes took the CPUs', 'No network card took part'):
            self.assertIn(text, words)

    def test_nothing_was_measured(self):
        doc = refresh(2000)
        doc.update(partial=True, why='no port', series=[], histograms=[], counters={}, facts={})
        found, _ = page(write('nothing.json', doc))
        self.assertNotIn('svg', found.count)

    def test_values_at_the_edge(self):
        doc = copy.deepcopy(REAL['latency'])
        doc['series'] = [{'name': 'refreshes_per_s', 'unit': '1/s', 'better': 'higher', 'values': [0], 'median': 0,
                          'min': 0, 'max': 0}]
        doc['histograms'] = [{'name': 'latency', 'unit': 'us', 'count': 1, 'mean': 0, 'max': 0, 'percentiles': {},
                              'buckets': [[0, 0, 1]]}]
        page(write('edge.json', doc), peer('kamailio', 20000, 1000))

    def test_table(self):
        lines = report('--table', *self.all()).stdout.splitlines()
        rows = [[c.strip() for c in line.strip('|').split('|')] for line in lines if line.startswith('|')]
        self.assertEqual(len({len(line) for line in lines if line.startswith('|')}), 1)
        self.assertEqual(rows[0][3:5], ['of the limit', 'of Kamailio'])
        found = {(r[0], r[1]): r for r in rows[2:]}
        # 2500 ns beside 20000 ns on half a core; the yardstick takes 700 ns.
        self.assertEqual(found['refresh', '5\u202f000'][3:5], ['28%', '4 x'])
        self.assertEqual(found['Kamailio: refresh', '1\u202f000'][8], '285\u202f000')

    def test_rounds_of_one_scenario_are_one_row(self):
        args = write('one.json', refresh(2000)), write('two.json', refresh(3000))
        lines = [x for x in report('--table', *args).stdout.splitlines() if x.startswith('| refresh')]
        self.assertEqual(len(lines), 1)
        found, text = page(*args)
        self.assertRegex(text, r'<th scope="row">ns_per_refresh</th><td>ns</td><td>2\u202f50\d</td>.*?<td>14</td>')

    def test_label(self):
        lines = report('--table', 'opensips=' + write('one.json', refresh(2000)), want=0).stdout
        self.assertIn('| opensips: refresh', lines)

    def test_bad_input(self):
        for name, doc, place in broken():
            with self.subTest(name):
                done = report(real('refresh'), write(name, doc), want=2)
                self.assertEqual(done.stdout, '')
                self.assertRegex(done.stderr, rf'^report\.py: \S*{name}:.*{place}.*\n$')
        self.assertRegex(report('/nowhere.json', want=2).stderr, '/nowhere.json: cannot be read')
        done = report(real('refresh'), '-o', '/nowhere/page.html', want=2)
        self.assertRegex(done.stderr, '/nowhere/page.html: cannot be written')

    @unittest.skipUnless(shutil.which('chromium'), 'no chromium (scripts/setup)')
    def test_browser_draws_it(self):
        out, picture = os.path.join(FOLDER.name, 'page.html'), os.path.join(FOLDER.name, 'page.png')
        report(*self.all(), '-o', out)
        with tempfile.TemporaryDirectory() as profile:
            program('chromium', '--headless', '--no-sandbox', '--disable-gpu', f'--user-data-dir={profile}',
                    '--window-size=390,6000', f'--screenshot={picture}', 'file://' + out)
        head = pathlib.Path(picture).read_bytes()[:24]
        self.assertEqual(head[:8], b'\x89PNG\r\n\x1a\n')
        self.assertGreater(os.path.getsize(picture), 50000)  # an empty page is smaller


if __name__ == '__main__':
    BENCH = sys.argv.pop()
    unittest.main()
