"""What the rounds say: tables for people. A ratio is taken within a round."""
import statistics

# The load generator was the bottleneck when it used more of its core than this, and the server less
# of its own. Real-time processes get 95 % of a core.
FULL, FULL_REALTIME = 0.95, 0.92

COLUMNS = [("cpu_us", "CPU us"), ("rate", "a second"), ("p50_us", "p50 us"), ("p99_us", "p99 us"),
           ("p99_9_us", "p99.9 us"), ("tail", "p99.9/p50")]
RATIOS = [c for c in COLUMNS if c[0] != "tail"]


def number(value):
    if value >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1_000 else f"{value:.0f}"


def spread(values):
    """median (min..max); of one round, its value"""
    if len(values) == 1:
        return number(values[0])
    return f"{number(statistics.median(values))} ({number(min(values))}..{number(max(values))})"


def ratios(ours, theirs, key):
    return [a[key] / b[key] for a, b in zip(ours, theirs) if b[key]]


def print_rows(head, lines):
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    for line in [head, *lines]:
        cells = [text.ljust(w) if i in (0, len(head) - 1) else text.rjust(w)
                 for i, (text, w) in enumerate(zip(line, widths))]
        print("  " + "  ".join(cells).rstrip())


def load_bound(measured, realtime):
    full = FULL_REALTIME if realtime else FULL
    busy = [statistics.median(m[key] for m in measured) for key in ("load_busy", "server_busy")]
    return busy[0] > full >= busy[1]


def print_times(rounds, bases, unit, realtime):
    lines = []
    for name, measured in rounds.items():
        cells = [spread([m[key] for m in measured]) for key, _ in COLUMNS]
        busy = "/".join(f"{statistics.median(m[key] for m in measured):.0%}"
                        for key in ("server_busy", "load_busy"))
        note = ["the load was the bottleneck"] if load_bound(measured, realtime) else []
        if silent := statistics.median(m["unanswered"] for m in measured):
            note.append(f"{silent:.0f} connections had no answer")
        lines.append([name, *cells, busy, "; ".join(note)])
    print(f"  median (min..max); CPU of the server for a {unit}; busy: server/load")
    print_rows(["server", *(title for _, title in COLUMNS), "busy", ""], lines)
    print_ratios(rounds, bases)


def print_ratios(rounds, bases):
    lines = []
    for name, measured in rounds.items():
        base = bases[name]
        if base not in rounds or base == name:
            continue
        cells = []
        for key, _ in RATIOS:
            found = ratios(measured, rounds[base], key)
            same = "=" if found and min(found) <= 1 <= max(found) else " "
            cells.append(spread(found) + same if found else "-")
        lines.append([name, *cells, "x " + base])
    if lines:
        print("  ratios within the rounds; =: 1 lies between the extremes, no difference seen")
        print_rows(["server", *(title for _, title in RATIOS), "of"], lines)


def print_memory(rounds):
    lines = [[name, spread([m["bytes_per_connection"] for m in measured]),
              number(statistics.median(m["before_bytes"] for m in measured) / 2**20), ""]
             for name, measured in rounds.items()]
    print("  growth of the server's own memory (smaps_rollup, Anonymous) by the connections")
    print_rows(["server", "bytes a connection", "MiB before", ""], lines)


def print_left_out(reasons):
    for name, reason in reasons.items():
        print(f"  {name}: left out: {reason}")
