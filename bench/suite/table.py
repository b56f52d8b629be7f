# SPDX-License-Identifier: BSD-3-Clause
"""From results (regate.bench/1) to the table at the end of scripts/bench and its JSON
(regate.bench-suite/1, suite.schema.json)."""

import statistics

import parts

# Of a kind: the series that is its rate, the first that is there.
RATES = ("refreshes_per_busy_s", "registrations_per_busy_s", "handshakes_per_busy_s", "refreshes_per_s",
         "registrations_per_s", "handshakes_per_s", "packets_per_busy_s")
# The histogram of a line.
LATENCIES = ("refresh_latency", "registration_latency", "handshake_latency", "latency", "alone")
SCALE_TO_US = {"ns": 1e-3, "us": 1, "ms": 1e3}
COLUMNS = (("scenario", "title"), ("target", "target"), ("per s and core", "rate_per_s"),
           ("to limit", "ratio_to_limit"), ("to Kamailio", "ratio_to_kamailio"), ("p50 us", "p50_us"),
           ("p99 us", "p99_us"), ("p99.9 us", "p999_us"), ("B/conn", "bytes_per_conn"))
NOTES = [
    "No NIC took part: these figures are for ratios between lines of this table only. They say nothing "
    "absolute, and nothing about another machine.",
    "per s and core: divided by the processor time that the target had, all of its processes together. "
    "Rings: the gateway's thread; no kernel, no system call. Sockets: loopback or TAP, the kernel's part "
    "included, one client on the other core that checks each answer.",
    "to limit: share of the yardstick (bench/limit), measured on the same core between the runs.",
    "to Kamailio: of the line's rate to that of Kamailio 5.6 with tokens in a hash table over loopback, "
    "refreshes with {kamailio} connections open, handshakes likewise; for regate over rings, so the "
    "difference of kernel and no kernel is in it. Idle connections: Kamailio's bytes to the line's.",
    "B/conn: growth of what the target's processes hold for each registered connection; the kernel's own "
    "memory of a socket, which regate has no need of, is not in it.",
]


def series(result, name):
    return next((s for s in result["series"] if s["name"] == name), None)


def median_of(results, name):
    values = [s["median"] for s in (series(r, name) for r in results) if s]
    return statistics.median(values) if values else None


def rate_of(result):
    """Of the median run, per second of the target's processor time; None: it has no rate."""
    s = next((s for s in (series(result, name) for name in RATES) if s), None)
    return s["median"] if s else result["facts"].get("refreshes_per_s")


def percentiles_of(result, names):
    """In us."""
    for h in result["histograms"]:
        if h["name"] in names and h["unit"] in SCALE_TO_US and h["count"]:
            return [h["percentiles"][p] * SCALE_TO_US[h["unit"]] for p in ("50", "99", "99.9")]
    return [None, None, None]


def middle(results):
    """The round that stands for all: that of the median rate."""
    by_rate = sorted(results, key=lambda r: rate_of(r) or 0)
    return by_rate[(len(by_rate) - 1) // 2]


def row_of(step, results):
    rates = [x for x in map(rate_of, results) if x]
    p50, p99, p999 = percentiles_of(middle(results), LATENCIES)
    return {
        "name": step.row, "title": step.title, "target": parts.NAMES[step.who], "participant": step.who,
        "kind": step.keys["kind"], "conns": step.keys["conns"], "rounds": len(results),
        "rate_per_s": statistics.median(rates) if rates else None,
        "rate_min": min(rates, default=None), "rate_max": max(rates, default=None),
        "ratio_to_limit": median_of(results, "ratio_to_limit"), "ratio_to_kamailio": None,
        "p50_us": p50, "p99_us": p99, "p999_us": p999,
        "bytes_per_conn": median_of(results, "slope_bytes_per_conn") or median_of(results, "bytes_per_conn"),
        "target_cpu_share": median_of(results, "target_cpu_share"),
    }


def rows_of(step, results):
    """A line of the table; of a latency alone and amid handshakes two."""
    row = row_of(step, results)
    amid = percentiles_of(middle(results), ("amid_handshakes",))
    if amid[0] is None:
        return [row]
    return [row, dict(row, name=step.row + "-amid", title=step.title + ", amid handshakes", p50_us=amid[0],
                      p99_us=amid[1], p999_us=amid[2])]


def add_ratios(rows):
    """Fills in ratio_to_kamailio; the line of refreshes that it goes by, or None."""
    kamailio = [r for r in rows if r["participant"] == "kamailio" and r["rate_per_s"]]
    most = max((r for r in kamailio if r["kind"] == "refresh"), key=lambda r: r["conns"], default=None)
    cold = next((r for r in kamailio if r["kind"] == "cold"), None)
    for r in rows:
        base = cold if r["kind"] in ("cold", "handshake") else most if r["kind"] == "refresh" else None
        if r["kind"] == "memory" and most and most["bytes_per_conn"] and r["bytes_per_conn"]:
            r["ratio_to_kamailio"] = most["bytes_per_conn"] / r["bytes_per_conn"]
        elif base and r["rate_per_s"]:
            r["ratio_to_kamailio"] = r["rate_per_s"] / base["rate_per_s"]
    return most


def cell(value, key):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if key.startswith("ratio"):
        return f"{value:.2f}" if value < 10 else f"{value:.0f}"
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.1f}"


def text(rows):
    lines = [[head for head, _ in COLUMNS]] + [[cell(r[key], key) for _, key in COLUMNS] for r in rows]
    wide = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    return "\n".join("  ".join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(line, wide)))
                     .rstrip() for line in lines)


def notes(most):
    conns = parts.short(most["conns"]) if most else "no"
    return [note.format(kamailio=conns) for note in NOTES]
