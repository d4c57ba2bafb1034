#!/usr/bin/env python3
"""Faults x engines and models: writes docs/fault-matrix.md from a run of the tests, or checks it.

  matrix.py --faults BUILD/tests/faults/faults [--check]

A test of tests/faults/ named FNN_words is a cell for each engine, or each model, that it runs on: it
counts that the fault happened and shows what comes of it. A cell without a test has a reason here,
and no cell has both.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "fault-matrix.md"
ENGINES = ["blocking", "nonblocking", "select", "poll", "epoll", "signal", "posix_aio", "io_uring"]
PLACEMENTS = ["shared", "thread", "process", "pool", "prefork"]
READY = ["nonblocking", "select", "poll", "epoll", "signal"]

NO_PART = "this engine has no part in it: it is a fault of another one's facility"
NO_RING = "it is a fault of io_uring's rings"
BELIEVES = ("it does not go by readiness alone: io_uring gets results, and posix_aio's helpers are "
            "given back to poll(2), which F26 shows")
ALONE = ("each task has a thread of its own and waits in its call: no other task can close the "
         "descriptor meanwhile, and there are no batches")
SENT = "descriptors are not sent over sockets: there is no such operation"
NO_UDP = "the library has no operation for datagrams; the simulated kernel has datagrams"
NO_LINES = "messages have a length in front; there is no line protocol"
NO_HTTP = "there is no HTTP and no WebSocket"
NO_NAMES = "addresses only, names are not looked up"
NO_TLS = "there is no TLS"
NO_USERS = "there are no users, nicks or rooms in the library"
NO_LINKS = "deadlines are the loop's own: no request is linked"
NO_ZERO_COPY = "no send is submitted with zero copy"
NO_FIXED = "no descriptor and no buffer is registered, but for the ring of receive buffers (U05)"
NO_BUNDLES = "no bundle is asked for"
ONE_PROCESS = "no process is started: a crash is the program's, and F09 and F33 show what is caught"
NOT_STARTED = "neither a thread nor a process is started for connections"
OWN_QUEUE = "who accepts runs no connection that could crash it"


def but(engines, reason):
    """A reason for all engines but these."""
    return {e: reason for e in ENGINES if e not in engines}


# number, the fault, and why an engine has no test of it: nothing, one reason for all, or each its own.
ROWS = [
    ("F01", "EINTR at every call", {}),
    ("F02", "ready, and nothing there", but([*READY, "blocking"], BELIEVES)),
    ("F03", "short receives", {}),
    ("F04", "short sends", {}),
    ("F05", "connections that died in the queue", {}),
    ("F06", "reset before it is accepted", {}),
    ("F07", "no descriptor: EMFILE, ENFILE", {}),
    ("F08", "no memory in the kernel: ENOBUFS, ENOMEM", {}),
    ("F09", "an allocation fails", {}),
    ("F10", "EPIPE without SIGPIPE", {}),
    ("F11", "a reset in the middle", {}),
    ("F12", "ETIMEDOUT", {}),
    ("F13", "connect: refused, unreachable, no port", {}),
    ("F14", "a connect that is given up", {}),
    ("F15", "half-closes, theirs and ours", {}),
    ("F16", "a byte out of band", {}),
    ("F17", "close while it is pending", {"blocking": ALONE}),
    ("F18", "double close, a number used again", {}),
    ("F19", "a number used again in one batch", {"blocking": ALONE}),
    ("F20", "a duplicate keeps the file open", {}),
    ("F21", "a regular file, a closed number", {}),
    ("F22", "descriptors of 1,024 and above", {}),
    ("F23", "more descriptors than poll(2) takes", but(["poll"], NO_PART)),
    ("F24", "the queue of signals overflows", but(["signal"], NO_PART)),
    ("F25", "masks and signals of the program", {}),
    ("F26", "no helper for asynchronous I/O", but(["posix_aio"], NO_PART)),
    ("F27", "a wake-up that fails", {}),
    ("F28", "huge clocks and limits", {}),
    ("F29", "stopped, and continued", {}),
    ("F30", "fork with a live engine", {}),
    ("F31", "descriptors left to a program", {}),
    ("F32", "a worker process crashes", "see the table of models: engines start no process"),
    ("F33", "no thread is to be had", {}),
    ("F34", "SCM_RIGHTS", SENT),
    ("F35", "datagrams", NO_UDP),
    ("F36", "workers on one port", "see the table of models: engines have no workers"),
    ("U01", "the ring is refused", but(["io_uring"], NO_RING)),
    ("U02", "parts of io_uring are missing", but(["io_uring"], NO_RING)),
    ("U03", "a submission queue of two", but(["io_uring"], NO_RING)),
    ("U04", "completions overflow, EBUSY, EBADR", but(["io_uring"], NO_RING)),
    ("U05", "no buffer is left", but(["io_uring"], NO_RING)),
    ("U06", "a multishot ends", but(["io_uring"], NO_RING)),
    ("U07", "what a cancel is answered", but(["io_uring"], NO_RING)),
    ("U08", "linked time-outs", NO_LINKS),
    ("U09", "destroyed while in flight", but(["io_uring"], NO_RING)),
    ("U10", "close with a receive in flight", but(["io_uring"], NO_RING)),
    ("U11", "zero copy notifications", NO_ZERO_COPY),
    ("U12", "registered descriptors", NO_FIXED),
    ("U13", "completions cut short", but(["io_uring"], NO_RING)),
    ("U14", "bundles of buffers", NO_BUNDLES),
    ("U15", "another thread submits", but(["io_uring"], NO_RING)),
    ("U16", "a ring inherited by fork", but(["io_uring"], NO_RING)),
    ("N01", "a peer that does not read", {}),
    ("N02", "a peer that does not send", {}),
    ("N03", "more connections than allowed", "see the table of models: engines count no connections"),
    ("N04", "a producer that is too fast", {}),
    ("N05", "lines without an end", NO_LINES),
    ("N06", "lengths beyond the limit", {}),
    ("N07-N15", "WebSocket and HTTP", NO_HTTP),
    ("N16", "names", NO_NAMES),
    ("N17", "TLS", NO_TLS),
    ("N18", "users", NO_USERS),
]

# The same by placement: what comes of it when serve() meets it.
SERVED = [
    ("F06", "reset before it is accepted", {}),
    ("F07", "no descriptor: EMFILE, ENFILE", {}),
    ("F08", "no memory in the kernel", {}),
    ("F11", "a reset in the middle", {}),
    ("F29", "stopped, and continued", {}),
    ("F32", "a worker process crashes", dict.fromkeys(["shared", "thread", "pool"], ONE_PROCESS)),
    ("F33", "no thread, no process", {"shared": NOT_STARTED}),
    ("F36", "workers on one port",
     {"process": OWN_QUEUE, **dict.fromkeys(["shared", "thread", "pool"], ONE_PROCESS)}),
    ("N01", "a peer that does not read", {}),
    ("N02", "a peer that does not send", {}),
    ("N03", "more connections than allowed", {}),
]


def run(faults):
    """The outcome of each cell: {(row, engine or model): status}. Models first, in a process that has
    used no engine: helper threads do not survive the fork that makes a server."""
    cells = {}
    for chosen in ("*fault_of_*", "-*fault_of_*"):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            subprocess.run([faults, f"--gtest_output=json:{report}", f"--gtest_filter={chosen}"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=280,
                           check=False)
            suites = json.loads(report.read_text())["testsuites"]
        for test in (t for s in suites for t in s["testsuite"]):
            found = re.fullmatch(r"([FUN]\d\d)_\w+/(\w+)", test["name"])
            if not found:
                sys.exit(f"{test['name']}: no test of a row")
            if "failures" in test:
                status = "failed"
            else:
                status = "skipped" if test.get("result") == "SKIPPED" else "shown"
            row, where = found.groups()
            if "fault_of_" in test["classname"]:
                where = test["value_param"].strip('"')
            key = (row, where)
            if cells.get(key) != "failed" and not (status == "skipped" and key in cells):
                cells[key] = status
    return cells


class Table:
    """Rows of cells; reasons are numbered as they come."""

    def __init__(self, reasons):
        self.reasons = reasons
        self.problems = []
        self.shown = self.excused = 0

    def cell(self, row, where, status, reason):
        if status == "failed":
            self.problems.append(f"{row} on {where}: failed")
        if status == "shown":
            if reason:
                self.problems.append(f"{row} on {where}: shown, and there is a reason why not")
            self.shown += 1
            return "yes"
        if not reason:
            self.problems.append(f"{row} on {where}: neither shown nor is there a reason")
            return "?"
        self.excused += 1
        if reason not in self.reasons:
            self.reasons.append(reason)
        return str(self.reasons.index(reason) + 1)


def header(columns):
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]


def models_of(cells):
    """As the registry has them: by engine, then by placement."""
    there = {where for _, where in cells if "/" in where}
    return [f"{e}/{p}" for e in ENGINES for p in PLACEMENTS if f"{e}/{p}" in there]


def page(cells):
    reasons = []
    engines, models = Table(reasons), Table(reasons)
    out = ["# Faults, engines and models", "",
           "Written by `tests/faults/matrix.py` from a run of its tests; do not edit.", "",
           "*yes*: a test of `tests/faults/` makes the fault happen there, counts that it did, and shows",
           "what comes of it (`ctest -L faults -R F07` runs those of F07). A number: the fault cannot",
           "happen there, for the [reason](#why-not) of that number.", "", "## Engines", ""]
    out += header(["", "fault", *ENGINES])
    for row, fault, excuses in ROWS:
        marks = [engines.cell(row, e, cells.get((row, e)),
                              excuses if isinstance(excuses, str) else excuses.get(e))
                 for e in ENGINES]
        out.append(f"| {row} | {fault} | " + " | ".join(marks) + " |")
    out += ["", "## Models", "", "What comes of it when `serve()` meets it, by who runs a connection.", ""]
    out += header(["model", *(f"{row} {fault}" for row, fault, _ in SERVED)])
    for model in models_of(cells):
        marks = [models.cell(row, model, cells.get((row, model)), excuses.get(model.split("/")[1]))
                 for row, _, excuses in SERVED]
        out.append(f"| {model} | " + " | ".join(marks) + " |")
    out += ["", "## Why not", ""]
    out += [f"{i}. {reason[0].upper()}{reason[1:]}." for i, reason in enumerate(reasons, 1)]
    faults = {row for row, *_ in ROWS + SERVED if any(k[0] == row and s == "shown"
                                                      for k, s in cells.items())}
    out += ["", f"{engines.shown + models.shown} cells are shown: {len(faults)} faults, "
            f"{engines.shown} on engines, {models.shown} on models. "
            f"{engines.excused + models.excused} have a reason.", ""]
    return "\n".join(out), engines.problems + models.problems


def without_tests(cells):
    """Engines that this machine does not have: their cells cannot be checked here."""
    tested = {where for _, where in cells}
    return [e for e in ENGINES if e not in tested]


def take_from_page(engine, cells):
    """The cells of `engine` and its models as the page has them."""
    columns = []
    for line in PAGE.read_text().splitlines():
        entries = [c.strip() for c in line.split("|")][1:-1]
        if not entries:
            columns = []
        elif not columns:
            columns = entries
        elif columns[0] == "model" and entries[0].startswith(engine + "/"):
            for column, entry in zip(columns[1:], entries[1:]):
                if entry == "yes":
                    cells[column.split()[0], entries[0]] = "shown"
                else:
                    cells.setdefault((column.split()[0], entries[0]), "skipped")
        elif engine in columns and entries[columns.index(engine)] == "yes":
            cells[entries[0], engine] = "shown"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--faults", required=True)
    options.add_argument("--check", action="store_true")
    given = options.parse_args()
    cells = run(given.faults)
    for engine in without_tests(cells):
        if not given.check:
            sys.exit(f"the page needs all engines, and {engine} is not available here")
        print(f"not checked: {engine}, which is not available here")
        take_from_page(engine, cells)
    text, problems = page(cells)
    print(text.rstrip().splitlines()[-1])
    if given.check and text != PAGE.read_text():
        problems.append(f"{PAGE.name} is not what the tests show: run {pathlib.Path(__file__).name}")
    if not given.check:
        PAGE.write_text(text)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
