# SPDX-License-Identifier: BSD-3-Clause
"""The report as one HTML file: style, figures and tables inside, nothing from the network."""
import os
from html import escape

import charts
from charts import short
from results import HEADINGS, group, number, table, warnings, yardstick

# Goals of one dataplane core, share of the limit: floor, target.
GOALS = {'ring': (0.5, 0.8), 'nic': (0.5, 0.8), 'memif': (0.36, 0.6)}
STAGE_TEXTS = {'rx': 'packet read and checked', 'tcp': 'TCP', 'tls': 'records opened and sealed',
               'handshake': 'steps of TLS handshakes', 'http': 'HTTP', 'ws': 'WebSocket frames',
               'sip': 'SIP parsed and answered', 'lease': 'lease found, REGISTER decided', 'tx': 'packet built and sent',
               'poll': 'clock, timers, rings'}


def html_table(headings, rows, cls=''):
    """First column names the row; the others are figures."""
    head = ''.join(f'<th scope="col">{escape(h)}</th>' for h in headings)
    body = ''.join('<tr><th scope="row">' + escape(r[0]) + '</th>' +
                   ''.join(f'<td>{escape(str(c)) or "&ndash;"}</td>' for c in r[1:]) + '</tr>' for r in rows)
    return (f'<div class="scroll" tabindex="0"><table class="{cls}"><thead><tr>{head}</tr></thead>'
            f'<tbody>{body}</tbody></table></div>')


def figure(ident, heading, caption, drawing, headings, rows):
    return (f'<figure id="{ident}"><h3>{escape(heading)}</h3>{drawing}<figcaption>{escape(caption)}</figcaption>'
            f'<details><summary>Figures</summary>{html_table(headings, rows)}</details></figure>')


def of_runs(s, scale=1.0):
    return number(s.median * scale), number(s.min * scale), number(s.max * scale), len(s.values)


def limit_figure(results):
    """Shares of the limit, product only."""
    found = [r for r in results if r.ratio]
    if not found:
        return ''
    goals = {GOALS.get(r.driver) for r in found if r.kind == 'refresh'}
    floor, target = goals.pop() or (None, None) if len(goals) == 1 else (None, None)
    marks = [(100 * target, f'refresh: target {target:.0%}')] if target else []
    rows = [(r.title, 100 * r.ratio.median, 100 * r.ratio.min, 100 * r.ratio.max, 0) for r in found]
    best = max(found, key=lambda r: r.ratio.median)
    caption = ('The limit is the least work that such a request can cost on one core, measured right after each run. '
               'Bars are medians, whiskers the range of the runs.')
    if floor:
        caption += f' Of a refresh the floor is {floor:.0%}, the target {target:.0%}.'
    return figure(
        'limit', 'Share of the limit', caption,
        charts.bars('limit-svg', 'Share of the limit', f'{best.title} reaches {best.ratio.median:.0%} of the limit.', rows, '%', marks),
        ('scenario', 'median %', 'least', 'most', 'runs'), [(r.title, *of_runs(r.ratio, 100)) for r in found])


def peers_figures(results):
    """For each kind that a peer did too: product and peers side by side."""
    out = []
    for kind in dict.fromkeys(r.group for r in results if r.is_peer):
        found = [r for r in results if r.group == kind and r.rate]
        if len(found) < 2:
            continue
        found.sort(key=lambda r: -r.rate.median)
        rows = [(f'{r.title} ({r.driver})', r.rate.median, r.rate.min, r.rate.max, 1 if r.is_peer else 0) for r in found]
        out.append(figure(
            f'peers-{kind}', f'{kind.replace("_", " ").capitalize()}: beside others',
            'Per second of one core, medians; whiskers are the range of the runs. What goes through sockets has the kernel '
            'in it, what goes over rings has not.',
            charts.bars(f'peers-{kind}-svg', f'{kind} per second, regate and peers',
                        f'Most: {found[0].title}, {number(found[0].rate.median)} a second.', rows, ''),
            ('who', 'median per second', 'least', 'most', 'runs'),
            [(f'{r.title} ({r.driver})', *of_runs(r.rate)) for r in found]))
    return ''.join(out)


def conns_figure(results):
    """Rate against connections, for whom there are two sizes at least."""
    by_name = {}
    for r in results:
        if r.rate:
            name = f'{r.label if r.is_peer or r.who else r.kind} ({r.driver})'
            by_name.setdefault(name, []).append(r)
    lines = {n: sorted(rs, key=lambda r: r.conns) for n, rs in by_name.items() if len({r.conns for r in rs}) > 1}
    if not lines:
        return ''
    series = [(n, [(r.conns, r.rate.median, r.rate.min, r.rate.max) for r in rs]) for n, rs in lines.items()]
    return figure(
        'connections', 'Rate against connections',
        'More connections fill the caches: what a request needs is then farther away. Whiskers are the range of the runs.',
        charts.lines('connections-svg', 'Rate against open connections',
                     '; '.join(f'{n}: from {short(p[0][1])} a second with {short(p[0][0])} connections to {short(p[-1][1])} '
                               f'with {short(p[-1][0])}' for n, p in series) + '.',
                     series, 'connections open', 'per second'),
        ('scenario', 'connections', 'median per second', 'least', 'most', 'runs'),
        [(n, group(r.conns), *of_runs(r.rate)) for n, rs in lines.items() for r in rs])


def latency_figures(results):
    out = []
    for i, r in enumerate(results):
        found = [(h.name.replace('_', ' '), h) for h in r.latencies if h.buckets]
        if not found:
            continue
        rate = r.facts.get('refreshes_per_s') or r.scenario.get('rate')
        load = f' At {short(rate)} requests a second.' if rate else ''
        out.append(figure(
            f'latency-{i}', r.title.capitalize() if r.title.startswith('latency') else f'Latency: {r.title}',
            f'From when a request was to be sent until its answer came, all runs together.{load} To the right of 99 % is '
            'the one in a hundred that waits longest.',
            charts.percentiles(f'latency-{i}-svg', f'Latency by percentile, {r.title}',
                               '; '.join(f'{n}: half of all within {number(h.percentiles["50"])} us, 99 % within '
                                         f'{number(h.percentiles["99"])} us' for n, h in found) + '.', found),
            ('\u00b5s', 'p50', 'p90', 'p99', 'p99.9', 'p99.99', 'max', 'answers'),
            [(n, *(number(v) for v in h.percentiles.values()), number(h.max), group(h.count)) for n, h in found]))
    return ''.join(out)


def memory_figure(results):
    found = [r for r in results if r.bytes_per_conn and r.bytes_per_conn.median > 0]
    if not found:
        return ''
    found.sort(key=lambda r: r.bytes_per_conn.median)
    rows = [(r.title, r.bytes_per_conn.median, r.bytes_per_conn.min, r.bytes_per_conn.max, 1 if r.is_peer else 0)
            for r in found]
    parts = ('bytes_per_conn', 'bytes_of_leases', 'bytes_of_worker_tables', 'bytes_of_opening', 'bytes_of_registering')
    headings = ('scenario', 'slope', *(p.removeprefix('bytes_').replace('_', ' ') for p in parts))
    return figure(
        'memory', 'Memory per connection',
        'Bytes of an idle registered connection: what the process grows by, divided by the connections that it grows for. '
        'The axis is logarithmic.',
        charts.bars('memory-svg', 'Bytes per idle registered connection',
                    f'Least: {found[0].title}, {number(found[0].bytes_per_conn.median)} bytes.', rows, 'B', is_log=True),
        headings, [(r.title, number(r.bytes_per_conn.median),
                    *(number(r.series[p].median) if p in r.series else '' for p in parts)) for r in found])


def slope_figure(results):
    """All of the memory against connections, when there are two sizes."""
    found = sorted((r for r in results if not r.is_peer and 'bytes_per_conn' in r.series), key=lambda r: r.conns)
    if len({r.conns for r in found}) < 2:
        return ''
    mib = [(r.conns, r.series['bytes_per_conn'].median * r.conns / 2 ** 20) for r in found]
    return figure(
        'slope', 'Memory against connections', 'What the gateway holds, in MiB, without EAL and the generator.',
        charts.lines('slope-svg', 'Memory against connections',
                     f'{number(mib[-1][1])} MiB with {group(mib[-1][0])} connections.',
                     [('gateway', [(c, m, m, m) for c, m in mib])], 'connections open', 'MiB', is_x_log=False),
        ('connections', 'MiB'), [(group(c), number(m)) for c, m in mib])


def shares_of(r, stages):
    """Of the time of all stages: as the driver says, else by the samples. {} when there was none."""
    series = {s: r.series.get(f'stage_{s}_share') for s, _ in stages}
    if all(series.values()):
        return {s: x.median for s, x in series.items()}
    total = sum(h.count * h.mean for _, h in stages)
    return {s: h.count * h.mean / total for s, h in stages} if total > 0 else {}


def stage_figures(results):
    out = []
    for i, r in enumerate(results):
        found = [(s, h) for s, h in r.stages if h.count > 0]
        shares = shares_of(r, found)
        if not shares:
            continue
        rows = [(f'{s}: {STAGE_TEXTS[s]}' if s in STAGE_TEXTS else s, *[100 * shares[s]] * 3, 2) for s, _ in found]
        most = max(found, key=lambda x: shares[x[0]])
        unit, scale = ('ns', 1e3) if most[1].is_time else (most[1].unit, 1)
        out.append(figure(
            f'stages-{i}', f'Where the time goes: {r.title}',
            'Share of the worker\u2019s busy time in each stage that a packet passes, in their order.',
            charts.bars(f'stages-{i}-svg', f'Share of time by stage, {r.title}',
                        f'Most of the time goes into {most[0]}: {shares[most[0]]:.0%}.', rows, '%'),
            ('stage', 'share %', f'mean {unit}', 'p50', 'p99', 'samples'),
            [(s, number(100 * shares[s]), number(h.mean * scale), number(h.percentiles['50'] * scale),
              number(h.percentiles['99'] * scale), group(h.count)) for s, h in found]))
    return ''.join(out)


def track_figures(results):
    out = []
    for i, r in enumerate(results):
        for k, t in enumerate(r.tracks):
            name, step = t['name'].replace('_', ' '), t['step_ms'] / 1000
            points = [((j + 1) * step, v, v, v) for j, v in enumerate(t['values'])]
            stride = max(len(points) // 10, 1)
            out.append(figure(
                f'track-{i}-{k}', f'{name.capitalize()}: {r.title}', f'Over the time of one run, in steps of {number(step)} s.',
                charts.lines(f'track-{i}-{k}-svg', f'{name} over time', f'At the end {number(points[-1][1])} {t["unit"]}.',
                             [(name, points)], 'seconds', t['unit'] if t['unit'] != '1' else '', is_x_log=False),
                ('seconds', t['unit']), [(number(x), number(y)) for x, y, _, _ in points[::stride]]))
    return ''.join(out)


def value_text(v):
    if v is None:
        return 'none'
    if isinstance(v, bool):
        return 'yes' if v else 'no'
    if isinstance(v, dict):
        return ', '.join(f'{k} {value_text(x)}' for k, x in v.items())
    if isinstance(v, list):
        return ' '.join(value_text(x) for x in v)
    return number(v, 9) if isinstance(v, (int, float)) else str(v) or 'none'


def environment(results):
    keys = [k for k in results[0].environment if k not in ('probes', 'load_average', 'clock_probe_ns', 'hugepages')]
    rows = []
    for k in keys:
        values = dict.fromkeys(value_text(r.environment.get(k)) for r in results)
        rows.append((k.replace('_', ' '), ' / '.join(values)))
    return html_table(('what', 'is'), rows, 'plain')


def details(results):
    out = []
    for r in results:
        rows = [(k, value_text(v)) for part in (r.scenario, r.facts) for k, v in part.items() if v not in (None, '')]
        runs = [(s.name, s.unit, *of_runs(s)) for s in r.series.values()]
        counters = [(k, group(v)) for k, v in r.counters.items() if v]
        out.append(f'<details><summary>{escape(r.title)} <small>{escape(r.date)}, {escape(r.path)}</small></summary>'
                   + (html_table(('series', 'unit', 'median', 'least', 'most', 'runs'), runs) if runs else '')
                   + html_table(('key', 'value'), rows, 'plain')
                   + (html_table(('counter', 'count'), counters, 'plain') if counters else '') + '</details>')
    return ''.join(out)


def headline(results):
    """The figures to remember, three at most: (figure, what it is)."""
    own = [r for r in results if not r.is_peer and not r.is_partial]
    out = []
    with_ratio = [r for r in own if r.ratio and r.kind == 'refresh'] or [r for r in own if r.ratio]
    if with_ratio:
        r = max(with_ratio, key=lambda r: r.conns)
        out.append((f'{r.ratio.median:.0%}', f'of the limit: {short(r.rate.median)} a second on one core, '
                                             f'{group(r.conns)} connections ({r.kind})'))
    times = [(r, yardstick(results, r)) for r in own]
    times = [(r, k) for r, k in times if k]
    if times:
        r, k = max(times, key=lambda x: x[0].conns)
        out.append((f'{number(r.rate.median / k.rate.median)}\u202f\u00d7', f'what Kamailio does on one core, {group(k.conns)} connections '
                                                                 f'({r.kind}; {r.driver} and {k.driver})'))
    tails = [h for r in own for h in r.latencies if r.kind == 'latency']
    if tails:
        out.append((f'{number(tails[0].percentiles["99"])}\u202f\u00b5s', f'p99 latency, {tails[0].name.replace("_", " ")}'))
    memory = [r for r in own if r.bytes_per_conn]
    if memory:
        r = max(memory, key=lambda r: r.conns)
        out.append((f'{number(r.bytes_per_conn.median)}\u202fB', f'memory of an idle connection, {group(r.conns)} open'))
    return ''.join(f'<li><strong>{escape(f)}</strong> {escape(what)}</li>' for f, what in out[:4])


def notes(results):
    found = warnings(results)
    if not found:
        return ''
    general = [t for r, t in found if r is None]
    items = [f'<li>{escape(t)}</li>' for t in general]
    for r in results:
        mine = [t for x, t in found if x is r]
        if mine:
            items.append(f'<li><b>{escape(r.title)}</b>: {escape("; ".join(mine))}.</li>')
    return f'<section class="notes" aria-labelledby="notes"><h2 id="notes">Before you believe it</h2><ul>{"".join(items)}</ul></section>'


def page(results, title):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'report.css'), encoding='utf-8') as f:
        style = f.read()
    dates = sorted(r.date for r in results)
    when = dates[0][:10] if dates[0][:10] == dates[-1][:10] else f'{dates[0][:10]} to {dates[-1][:10]}'
    env = results[0].environment
    under = ' \u00b7 '.join(str(x) for x in (when, f'regate {env.get("regate", "?")} ({env.get("commit", "?")})', env.get('cpu', '?'),
                                             f'kernel {env.get("kernel", "?")}'))
    figures = ''.join(f(results) for f in (limit_figure, conns_figure, peers_figures, latency_figures, memory_figure,
                                           slope_figure, stage_figures, track_figures))
    headings = [h.replace(' us', ' \u00b5s') for h in HEADINGS]
    return f'''<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<header><h1>{escape(title)}</h1><p class="under">{escape(under)}</p></header>
<main>
<ul class="headline">{headline(results)}</ul>
{notes(results)}
<section aria-labelledby="results"><h2 id="results">Results</h2>{html_table(headings, table(results))}
<p class="small">Medians of the runs. Of the limit: what the least work for such a request would allow on the same core, measured
right after each run. Latency is of all runs together, from when a request was to be sent.</p></section>
<section aria-labelledby="figures"><h2 id="figures">Figures</h2><div class="grid">{figures}</div></section>
<section aria-labelledby="environment"><h2 id="environment">Environment</h2>{environment(results)}</section>
<section aria-labelledby="details"><h2 id="details">Each result</h2>{details(results)}</section>
</main>
</body>
</html>
'''
