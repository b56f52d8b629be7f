#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Result files of regate-bench as one HTML page, or as a table in Markdown that reads well in a terminal too."""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from page import page  # noqa: E402
from results import HEADINGS, Bad, load_all, table, warnings  # noqa: E402


def markdown(results):
    rows = [HEADINGS, *table(results)]
    widths = [max(len(r[i]) for r in rows) for i in range(len(HEADINGS))]

    def row(cells):
        return '| ' + ' | '.join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths))) + ' |'

    rule = '|' + '|'.join('-' * (w + 2) if i == 0 else '-' * (w + 1) + ':' for i, w in enumerate(widths)) + '|'
    notes = [f'- {t if r is None else f"{r.title}: {t}"}' for r, t in warnings(results)]
    return '\n'.join([row(HEADINGS), rule, *map(row, rows[1:])] + ([''] + notes if notes else [])) + '\n'


def main():
    parser = argparse.ArgumentParser(prog='report.py', description=__doc__)
    parser.add_argument('results', nargs='+', metavar='[WHO=]RESULT.json',
                        help='written by `regate-bench run --json`; who was measured, if not regate: kamailio=k.json')
    parser.add_argument('-o', '--html', metavar='FILE', dest='output', help='the page; default: stdout')
    parser.add_argument('--table', action='store_true', help='the table only, as Markdown')
    parser.add_argument('--title', default='regate bench report')
    args = parser.parse_args()
    try:
        results = load_all(args.results)
        out = markdown(results) if args.table else page(results, args.title)
        if args.output is None:
            sys.stdout.reconfigure(encoding='utf-8')
            sys.stdout.write(out)
        else:
            with open(args.output, 'w', encoding='utf-8') as f:
                f.write(out)
    except Bad as e:
        print(f'report.py: {e}', file=sys.stderr)
        return 2
    except OSError as e:
        print(f'report.py: {args.output}: cannot be written: {e.strerror}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
