# SPDX-License-Identifier: BSD-3-Clause
"""Figures as SVG, by hand: bars with ranges, lines, percentiles. Colours are classes of report.css, so that they follow
light and dark; series differ by marker and dash too."""
import math
from html import escape

from results import group, number

WIDTH = 480
LEFT, RIGHT, TOP = 62, 16, 14
N_COLOURS = 6


def svg(ident, title, desc, height, body):
    return (f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{ident}-t {ident}-d">'
            f'<title id="{ident}-t">{escape(title)}</title><desc id="{ident}-d">{escape(desc)}</desc>'
            f'{"".join(body)}</svg>')


def text(x, y, s, cls='', anchor='start'):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{cls}" text-anchor="{anchor}">{escape(s)}</text>'


def line(x1, y1, x2, y2, cls):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{cls}"/>'


def short(v):
    """Of an axis: 1 200 000 is 1.2 M."""
    for limit, unit in ((1e9, 'G'), (1e6, 'M'), (1e4, 'k')):
        if abs(v) >= limit:
            return f'{number(v / (limit if unit != "k" else 1e3))}\u202f{unit}'
    return number(v)


def with_unit(v, unit):
    """50 %, 13.8 kB."""
    figure = short(v)
    return figure + (unit if figure[-1].isalpha() or not unit else f'\u202f{unit}')


def nice_step(top, n):
    raw = top / n
    power = 10 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)


class Linear:
    def __init__(self, top, start, end, n=5):
        top = top if top > 0 else 1
        step = nice_step(top, n)
        self.top = step * math.ceil(top / step - 1e-9)
        self.start, self.end = start, end
        self.ticks = [(i * step, short(i * step)) for i in range(round(self.top / step) + 1)]

    def at(self, v):
        return self.start + (self.end - self.start) * v / self.top


LEAST = 1e-3  # on a logarithmic axis, which has no zero


class Log:
    def __init__(self, low, high, start, end):
        self.low = math.floor(math.log10(max(low, LEAST)) + 1e-9)
        self.high = max(math.ceil(math.log10(max(high, LEAST)) - 1e-9), self.low + 1)
        self.start, self.end = start, end
        self.ticks = [(10 ** e, short(10 ** e)) for e in range(self.low, self.high + 1)]

    def at(self, v):
        exponent = math.log10(max(v, 10.0 ** self.low))
        return self.start + (self.end - self.start) * (exponent - self.low) / (self.high - self.low)


def marker(x, y, i):
    shapes = (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"', f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"',
              f'<path d="M{x:.1f} {y - 4.5:.1f}l4.5 8h-9z"', f'<path d="M{x:.1f} {y - 5:.1f}l5 5-5 5-5-5z"')
    return f'{shapes[i % len(shapes)]} class="fill c{i % N_COLOURS}"/>'


def legend(names, y):
    """One line each, where there is more than one; returns the body and the height it takes."""
    body = []
    if len(names) == 1:
        return body, 0
    for i, name in enumerate(names):
        row = y + 18 * i
        body += [line(LEFT, row - 4, LEFT + 26, row - 4, f'line c{i % N_COLOURS} d{i % 4}'), marker(LEFT + 13, row - 4, i),
                 text(LEFT + 34, row, name, 'label')]
    return body, 18 * len(names)


def bars(ident, title, desc, rows, unit, marks=(), is_log=False):
    """rows: (label, value, least, most, colour); marks: (value, label), lines across."""
    bottom = TOP + (18 if marks else 0) + 44 * len(rows)
    top = max([most for _, _, _, most, _ in rows] + [v for v, _ in marks])
    start, end = 8, WIDTH - 74
    if is_log:
        axis = Log(min(least for _, _, least, _, _ in rows) / 2, top, start, end)
    else:
        axis = Linear(top, start, end)
    body = [line(axis.at(v), TOP, axis.at(v), bottom, 'grid') for v, _ in axis.ticks]
    body += [text(axis.at(v), bottom + 16, s, 'tick', 'middle') for v, s in axis.ticks]
    for v, label in marks:
        body += [line(axis.at(v), TOP + 4, axis.at(v), bottom, 'mark'), text(axis.at(v) - 4, TOP + 10, label, 'tick', 'end')]
    for i, (label, value, least, most, colour) in enumerate(rows):
        y = TOP + (18 if marks else 0) + 44 * i
        body.append(text(start, y + 13, label, 'label'))
        if is_log:  # where there is no zero, a length says nothing
            body += [line(start, y + 27, WIDTH - 74, y + 27, 'grid'), marker(axis.at(value), y + 27, colour)]
        else:
            body.append(f'<rect x="{start}" y="{y + 19}" width="{max(axis.at(value) - start, 1):.1f}" height="16" rx="2" '
                        f'class="fill c{colour}"/>')
        if most > least:
            body += [line(axis.at(least), y + 27, axis.at(most), y + 27, 'range'),
                     line(axis.at(least), y + 22, axis.at(least), y + 32, 'range'),
                     line(axis.at(most), y + 22, axis.at(most), y + 32, 'range')]
        body.append(text(max(axis.at(value), axis.at(most)) + 8, y + 31, with_unit(value, unit), 'value'))
    return svg(ident, title, desc, bottom + 26, body)


def frame(x_axis, y_axis, x_label, y_label, bottom):
    body = []
    for v, s in y_axis.ticks:
        body += [line(LEFT, y_axis.at(v), WIDTH - RIGHT, y_axis.at(v), 'grid'),
                 text(LEFT - 8, y_axis.at(v) + 4, s, 'tick', 'end')]
    for v, s in x_axis.ticks:
        body += [line(x_axis.at(v), bottom, x_axis.at(v), bottom + 5, 'axis'), text(x_axis.at(v), bottom + 19, s, 'tick', 'middle')]
    body += [line(LEFT, bottom, WIDTH - RIGHT, bottom, 'axis'), text(WIDTH - RIGHT, bottom + 37, x_label, 'tick', 'end'),
             text(8, TOP + 2, y_label, 'tick')]
    return body


def path(points, i):
    d = 'M' + 'L'.join(f'{x:.1f} {y:.1f}' for x, y in points)
    return f'<path d="{d}" class="line c{i % N_COLOURS} d{i % 4}"/>'


def lines(ident, title, desc, series, x_label, y_label, is_x_log=True):
    """series: (name, [(x, y, least, most)]), with x above 0 on a logarithmic axis."""
    bottom, top = TOP + 16 + 220, TOP + 16
    xs = [p[0] for _, points in series for p in points]
    x_axis = Log(min(xs), max(xs), LEFT, WIDTH - RIGHT - 14) if is_x_log else Linear(max(xs), LEFT, WIDTH - RIGHT - 14, 6)
    y_axis = Linear(max(p[3] for _, points in series for p in points), bottom, top)
    body = frame(x_axis, y_axis, x_label, y_label, bottom)
    for i, (_, points) in enumerate(series):
        at = [(x_axis.at(x), y_axis.at(y)) for x, y, _, _ in points]
        body.append(path(at, i))
        if len(points) > 24:
            continue
        for (x, _, least, most), (px, py) in zip(points, at):
            body += [line(px, y_axis.at(least), px, y_axis.at(most), f'line thin c{i % N_COLOURS}'), marker(px, py, i)]
    keys, height = legend([name for name, _ in series], bottom + 62)
    return svg(ident, title, desc, bottom + 48 + height, body + keys)


class Nines:
    """Shares on the axis of HdrHistogram: as far from 90 % to 99 % as from there to 99.9 %."""

    def __init__(self, most, start, end):
        self.most = max(most, 2)
        self.start, self.end = start, end
        self.ticks = [(0, '0 %')] + [(1 - 10.0 ** -n, f'{100 - 10.0 ** (2 - n):.{max(n - 2, 0)}f} %')
                                     for n in range(1, math.floor(self.most + 1e-9) + 1)]

    def at(self, share):
        return self.start + (self.end - self.start) * min(-math.log10(max(1 - share, 1e-12)), self.most) / self.most


def percentiles(ident, title, desc, histograms):
    """histograms: (name, Histogram in us)."""
    bottom, top = TOP + 16 + 220, TOP + 16
    x_axis = Nines(math.log10(max(h.count for _, h in histograms)), LEFT, WIDTH - RIGHT - 24)
    low = min(h.buckets[0][1] for _, h in histograms)
    y_axis = Log(low, max(h.max for _, h in histograms), bottom, top)
    body = frame(x_axis, y_axis, 'of all answers', '\u00b5s', bottom)
    for i, (_, h) in enumerate(histograms):
        seen, points = 0, []
        for _, high, n in h.buckets:
            y = y_axis.at(high)
            points += [(x_axis.at(seen / h.count), y), (x_axis.at((seen + n) / h.count), y)]
            seen += n
        body.append(path(points, i))
    keys, height = legend([f'{name} ({group(h.count)} answers)' for name, h in histograms], bottom + 62)
    return svg(ident, title, desc, bottom + 48 + height, body + keys)
