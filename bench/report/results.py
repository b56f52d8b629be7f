# SPDX-License-Identifier: BSD-3-Clause
"""Result files of regate-bench (bench/run/result.schema.json): read, checked, and what a report takes from them."""
import json
import os
import re
import statistics

SCHEMA = 'regate.bench/1'
PEERS = {'kamailio': 'Kamailio', 'kamailio-open': 'Kamailio, no tokens', 'nginx': 'nginx + Kamailio',
         'haproxy': 'HAProxy + Kamailio', 'openssl': 'epoll + OpenSSL'}  # as bench/peers starts them
OWN = ('', 'regate', 'ring', 'memif', 'tap', 'nic')  # regate itself; any other is a peer
KINDS = {'cold': 'handshake'}  # what is measured together, under its common name
STAGES = ('rx', 'tcp', 'tls', 'handshake', 'http', 'ws', 'sip', 'lease', 'tx', 'poll')
TIMES = {'s': 1e6, 'ms': 1e3, 'us': 1.0, 'ns': 1e-3}  # in us
PERCENTS = ('50', '90', '99', '99.9', '99.99')
MEMBERS = {'date': str, 'seconds': (int, float), 'partial': bool, 'scenario': dict, 'environment': dict, 'facts': dict,
           'series': list, 'histograms': list, 'tracks': list, 'counters': dict, 'errors': list}


class Bad(Exception):
    """A file that is no result: one line that names file and place."""


class Series:
    def __init__(self, name, unit, better, values):
        self.name, self.unit, self.better = name, unit, better
        self.values = [float(v) for v in values]
        self.median = statistics.median(self.values)
        self.min, self.max = min(self.values), max(self.values)

    @property
    def spread(self):
        return (self.max - self.min) / self.median if self.median > 0 else 0.0

    def times(self, factor):
        return Series(self.name, self.unit, self.better, [v * factor for v in self.values])


class Histogram:
    """Of times, in us; of anything else, in its unit."""

    def __init__(self, name, unit, mean, top, steps):
        scale = TIMES.get(unit, 1.0)
        self.name, self.unit, self.is_time = name, unit, unit in TIMES
        self.max, self.mean = top * scale, mean * scale
        self.steps = steps  # {(least, greatest): count}, as in the file
        self.count = sum(steps.values())
        self.buckets = [(low * scale, min(high * scale, self.max), n) for (low, high), n in sorted(steps.items())]
        self.percentiles = {p: self.quantile(float(p) / 100) for p in PERCENTS}

    def quantile(self, share):
        seen = 0
        for _, high, n in self.buckets:
            seen += n
            if seen >= share * self.count:
                return high
        return 0.0

    def plus(self, other):
        """With the values of another round."""
        steps = dict(self.steps)
        for step, n in other.steps.items():
            steps[step] = steps.get(step, 0) + n
        scale = TIMES.get(self.unit, 1.0)
        mean = (self.mean * self.count + other.mean * other.count) / max(self.count + other.count, 1)
        return Histogram(self.name, self.unit, mean / scale, max(self.max, other.max) / scale, steps)


def histogram_of(h):
    steps = {}
    for low, high, n in h['buckets']:
        steps[low, high] = steps.get((low, high), 0) + n
    return Histogram(h['name'], h['unit'], h['mean'], h['max'], steps)


class Result:
    """What one file says, or several that are rounds of the same."""

    def __init__(self, path, label, doc):
        self.path, self.doc, self.date = path, doc, doc['date']
        self.scenario, self.environment, self.facts = doc['scenario'], doc['environment'], doc['facts']
        self.counters, self.seconds = dict(doc['counters']), doc['seconds']
        self.kind, self.driver, self.conns = self.scenario['kind'], self.scenario['driver'], self.scenario['conns']
        self.group = KINDS.get(self.kind, self.kind)
        self.who = label or str(self.facts.get('participant', ''))
        self.is_peer = self.who not in OWN
        self.label = self._label()
        self.series = {s['name']: Series(s['name'], s['unit'], s['better'], s['values']) for s in doc['series']}
        self.histograms = [h for h in map(histogram_of, doc['histograms']) if h.count > 0]
        self.tracks = [t for t in doc['tracks'] if t['values']]
        self.faults = faults(doc)
        self.is_partial = doc['partial']

    def _label(self):
        if self.is_peer:
            return f'{PEERS.get(self.who, self.who)}: {self.kind.replace("_", " ")}'
        if not self.who:
            return self.scenario['name']
        return self.kind.replace('_', ' ') + ('' if self.who in ('ring', 'regate') else f', {self.who}')

    @property
    def key(self):
        return self.who, self.label, self.kind, self.driver, self.conns

    def add(self, other):
        """Another round: its runs count as those of this one do."""
        for name, s in other.series.items():
            mine = self.series.get(name)
            self.series[name] = Series(s.name, s.unit, s.better, mine.values + s.values) if mine else s
        theirs = {h.name: h for h in other.histograms}
        self.histograms = [h.plus(theirs.pop(h.name)) if h.name in theirs else h for h in self.histograms]
        self.histograms += theirs.values()
        for name, n in other.counters.items():
            self.counters[name] = self.counters.get(name, 0) + n
        self.facts = {**self.facts, **other.facts}
        self.seconds += other.seconds
        self.faults += other.faults
        self.is_partial |= other.is_partial
        self.path += f', {other.path}'

    @property
    def rate(self):
        """What it did in a second of processor time, as far as that is known."""
        rates = [s for s in self.series.values() if s.better == 'higher' and s.unit.endswith('/s')]
        if not rates:
            return None
        share = self.facts.get('target_cpu_share')
        rate = next((s for s in rates if not s.name.endswith('_wall')), rates[0])
        return rate.times(1 / min(share, 1)) if is_number(share) and share > 0 else rate

    @property
    def ratio(self):
        return self.series.get('ratio_to_limit')

    @property
    def bytes_per_conn(self):
        fact = self.facts.get('target_bytes_per_conn')
        if is_number(fact):
            return Series('target_bytes_per_conn', 'B', 'lower', [fact])
        names = ('slope_bytes_per_conn', 'bytes_per_conn', 'bytes_per_connection')
        return next((self.series[n] for n in names if n in self.series), None)

    @property
    def latencies(self):
        return [h for h in self.histograms if h.is_time and not h.name.startswith('stage')]

    @property
    def stages(self):
        """Histograms of a worker's time by stage, in the order of a packet."""
        by_name = {re.sub(r'^stage[_. ]', '', h.name): h for h in self.histograms if h.name.startswith('stage')}
        return [(s, by_name.pop(s)) for s in STAGES if s in by_name] + list(by_name.items())

    @property
    def title(self):
        return f'{self.label}, {group(self.conns)} connections'


def group(n):
    """Whole numbers with a thin space between thousands."""
    return f'{n:,.0f}'.replace(',', '\u202f')


def number(v, digits=3):
    """To so many significant digits, thousands apart, without an exponent."""
    if v == 0:
        return '0'
    if abs(v) >= 10 ** (digits - 1):
        return group(v)
    decimals = 0
    while decimals < 9 and abs(v) * 10 ** decimals < 10 ** (digits - 1):
        decimals += 1
    text = f'{v:.{decimals}f}'
    return text.rstrip('0').rstrip('.') if '.' in text else text


def want(path, place, ok, what):
    if not ok:
        raise Bad(f'{path}: {place}: {what}')


def is_number(v):
    return isinstance(v, (int, float)) and not isinstance(v, bool)


def check_series(path, i, s):
    place = f'series[{i}]'
    want(path, place, isinstance(s, dict) and isinstance(s.get('name'), str) and isinstance(s.get('unit'), str),
         'name and unit are wanted')
    want(path, f'{place}.better', s.get('better') in ('higher', 'lower', 'neither'),
         'higher, lower or neither is wanted')
    want(path, f'{place}.values', isinstance(s.get('values'), list) and s['values'] and
         all(is_number(v) for v in s['values']), 'a list of numbers is wanted, not an empty one')


def check_histogram(path, i, h):
    place = f'histograms[{i}]'
    want(path, place, isinstance(h, dict) and isinstance(h.get('name'), str) and isinstance(h.get('unit'), str),
         'name and unit are wanted')
    for key in ('mean', 'max'):
        want(path, f'{place}.{key}', is_number(h.get(key)), 'a number is wanted')
    want(path, f'{place}.buckets', isinstance(h.get('buckets'), list) and all(
        isinstance(b, list) and len(b) == 3 and all(is_number(v) for v in b) for b in h['buckets']),
         '[least, greatest, count] is wanted')


def check(path, doc):
    want(path, 'schema', isinstance(doc, dict) and doc.get('schema') == SCHEMA,
         f"'{SCHEMA}' is wanted: a result of `regate-bench run --json`")
    for key, types in MEMBERS.items():
        want(path, key, isinstance(doc.get(key), types), 'missing, or of the wrong type')
    for key in ('name', 'driver', 'kind'):
        want(path, f'scenario.{key}', isinstance(doc['scenario'].get(key), str), 'a text is wanted')
    want(path, 'scenario.conns', is_number(doc['scenario'].get('conns')), 'a number is wanted')
    for i, s in enumerate(doc['series']):
        check_series(path, i, s)
    for i, h in enumerate(doc['histograms']):
        check_histogram(path, i, h)
    for k, n in doc['counters'].items():
        want(path, f'counters.{k}', is_number(n), 'a number is wanted')
    for i, t in enumerate(doc['tracks']):
        want(path, f'tracks[{i}]', isinstance(t, dict) and isinstance(t.get('name'), str) and
             isinstance(t.get('unit'), str) and is_number(t.get('step_ms')) and isinstance(t.get('values'), list) and
             all(is_number(v) for v in t['values']), 'name, unit, step_ms and values are wanted')
    for i, e in enumerate(doc['errors']):
        want(path, f'errors[{i}]', isinstance(e, dict) and isinstance(e.get('text'), str), 'a text is wanted')


def load_all(arguments):
    """Results in the order given, rounds of the same together."""
    out = {}
    for r in map(load, arguments):
        if r.key in out:
            out[r.key].add(r)
        else:
            out[r.key] = r
    return list(out.values())


def load(argument):
    """FILE, or WHO=FILE."""
    label, path = '', argument
    if '=' in argument and not os.path.exists(argument):
        label, path = argument.split('=', 1)
    try:
        with open(path, encoding='utf-8') as f:
            doc = json.load(f)
    except OSError as e:
        raise Bad(f'{path}: cannot be read: {e.strerror}') from e
    except UnicodeDecodeError as e:
        raise Bad(f'{path}: no text in UTF-8: no result of `regate-bench run --json`') from e
    except json.JSONDecodeError as e:
        raise Bad(f'{path}:{e.lineno}:{e.colno}: {e.msg}: no result of `regate-bench run --json`') from e
    check(path, doc)
    return Result(path, label, doc)


def yardstick(results, r):
    """Kamailio's result to set r against: the one with the most connections, tokens looked up in a hash table."""
    if r.is_peer or r.rate is None:
        return None
    found = [k for k in results if k.who == 'kamailio' and k.group == r.group and k.rate and k.rate.median > 0]
    return max(found, key=lambda k: k.conns, default=None)


def faults(doc):
    """What is wrong with a result."""
    out = []
    if doc['partial']:
        out.append(f'ended early: {doc.get("why") or "without a reason"}')
    out.extend(f'error, {e.get("count", 1)} times: {e["text"]}' for e in doc['errors'])
    if doc['counters'].get('bad_answers', 0) > 0:
        out.append(f'{group(doc["counters"]["bad_answers"])} answers were wrong')
    return out


def span(values, form):
    least, most = form.format(min(values)), form.format(max(values))
    return least if least == most else f'{least} to {most}'


def disturbances(results):
    """What others did to the machine meanwhile, and what it did to the figures."""
    def above(values, limit):
        return [v for v in values if v > limit]

    def per_second(name):
        return [r.counters.get(name, 0) / max(r.seconds, 1e-3) for r in results]

    out = []
    found = above([r.rate.spread for r in results if r.rate], 0.1)
    if found:
        out.append(f'Runs of one scenario differ by {span(found, "{:.0%}")}: a smaller difference says nothing. '
                   'regate-bench compare says what does.')
    found = above(per_second('involuntary_switches'), 10)
    if found:
        out.append(f'Other processes took the CPUs {span(found, "{:.0f}")} times a second '
                   f'({len(found)} of {len(results)} results).')
    found = above([ms / 1000 for ms in per_second('host_steal_ms')], 0.01)
    if found:
        out.append(f'The hypervisor took {span(found, "{:.1%}")} of the time ({len(found)} of {len(results)} results).')
    found = above([p.get('lost_share', 0) for r in results for p in r.environment.get('probes', [])], 0.02)
    if found:
        out.append(f'A CPU lost {span(found, "{:.0%}")} of its time to others just before a run.')
    return out


def warnings(results):
    """What one has to know before one believes the figures: (result or None, text)."""
    out = []
    if not any(r.driver == 'nic' for r in results):
        out.append('No network card took part: compare ratios, never the absolute figures.')
    if any(r.environment.get('virtual') for r in results):
        out.append('A virtual machine: its neighbours take time from it, and it cannot say how much.')
    if any(not r.environment.get('isolcpus') for r in results):
        out.append('No CPU was isolated from other processes.')
    if any(str(r.facts.get('pages', '')).startswith('4') for r in results):
        out.append('Packet buffers were in 4 KiB pages: not enough huge pages were free.')
    for key, what in (('cpu', 'machines'), ('commit', 'builds'), ('flags', 'compiler flags')):
        values = sorted({str(r.environment.get(key)) for r in results if not r.is_peer})
        if len(values) > 1:
            out.append(f'Results of {len(values)} {what} are side by side: {", ".join(values)}.')
    return [(None, text) for text in out + disturbances(results)] + [(r, text) for r in results for text in r.faults]


HEADINGS = ('scenario', 'connections', 'per second', 'of the limit', 'of Kamailio', 'p50 us', 'p99 us', 'p99.9 us',
            'bytes per connection')


def table(results):
    """Rows of texts under HEADINGS; '' where there is nothing."""
    rows = []
    for r in results:
        latencies = r.latencies or [None]
        for i, h in enumerate(latencies):
            k = yardstick(results, r)
            name = r.label + (f', {h.name.replace("_", " ")}' if len(latencies) > 1 else '')
            rows.append((
                name + (' (ended early)' if r.is_partial else ''), group(r.conns),
                number(r.rate.median) if r.rate and i == 0 else '',
                f'{r.ratio.median:.0%}' if r.ratio and i == 0 else '',
                f'{number(r.rate.median / k.rate.median)} x' if k and i == 0 else '',
                *(number(h.percentiles[p]) if h else '' for p in ('50', '99', '99.9')),
                number(r.bytes_per_conn.median) if r.bytes_per_conn and i == 0 else ''))
    return rows
