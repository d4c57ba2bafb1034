#!/usr/bin/env python3
"""Faults x engines: writes docs/fault-matrix.md from a run of the tests, or checks it.

  matrix.py --faults BUILD/tests/faults/faults [--check]

A test of tests/faults/ named FNN_words is a cell for each engine it runs on: it shows that the fault
happened and what came of it. A row that another suite shows names that test; it must exist. What
an engine has no part in, or this project has no such thing, says why.
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

NO_UDP = "no UDP"
NO_RIGHTS = "descriptors are not sent"
NO_TLS = "no TLS"
NO_HTTP = "no HTTP, no WebSocket"
NO_NAMES = "no name lookup"

# number, the fault, and one of: "here" (cells from tests/faults), tests elsewhere, or why not.
ROWS = [
    ("F01", "EINTR at every call", "here"),
    ("F02", "ready, and nothing there", "here"),
    ("F03", "short receives", "here"),
    ("F04", "short sends", "here"),
    ("F05", "connections that died in the queue", "here"),
    ("F06", "reset before it is accepted", ["accept_of_a_connection_that_was_reset_passes_or_tells"]),
    ("F07", "no descriptor: EMFILE, ENFILE", "here"),
    ("F08", "no memory in the kernel: ENOBUFS, ENOMEM", "here"),
    ("F09", "an allocation fails", ["an_allocation_fails"]),
    ("F10", "EPIPE without SIGPIPE", ["sending_to_a_closed_peer_is_an_error_and_no_signal",
                                      "a_file_sent_to_a_peer_that_is_gone_is_an_error_and_no_signal"]),
    ("F11", "a reset in the middle", "here"),
    ("F12", "ETIMEDOUT", "here"),
    ("F13", "connect: refused, unreachable, no port", "here"),
    ("F14", "a connect that is given up", ["connect_gives_up_at_its_limit_and_not_before",
                                           "connect_that_gave_up_leaves_no_socket_behind"]),
    ("F15", "half-closes, one and both", ["after_the_peer_ended_we_can_still_send",
                                          "both_sides_may_end_at_once"]),
    ("F16", "a byte out of band", "here"),
    ("F17", "close while it is pending", ["closing_a_stream_ends_its_pending_receive",
                                          "closing_a_listener_ends_a_pending_accept"]),
    ("F18", "double close, a number used again", ["close_is_idempotent_and_the_peer_sees_it",
                                                  "a_number_that_is_used_again_gets_its_own_bytes"]),
    ("F19", "a number used again in one batch",
     ["a_number_used_again_within_one_batch_of_events_gets_no_stale_event"]),
    ("F20", "a duplicate keeps the file open", ["a_duplicate_left_open_elsewhere_disturbs_nobody"]),
    ("F21", "a regular file, a closed number", "here"),
    ("F22", "descriptors of 1,024 and above", ["a_large_descriptor_works_or_is_refused_at_the_limit"]),
    ("F23", "more descriptors than poll(2) takes", "here"),
    ("F24", "the queue of signals overflows", "here"),
    ("F25", "masks and signals of the program", ["the_signal_mask_is_the_same_after_the_engine_ends",
                                                 "a_storm_of_signals_loses_no_byte_and_ends_no_wait_early"]),
    ("F26", "no helper for asynchronous I/O", "here"),
    ("F27", "a wake-up that fails", "here"),
    ("F28", "huge clocks and limits", "here"),
    ("F29", "stopped, and continued", "here"),
    ("F30", "fork with a live engine",
     ["a_child_of_fork_that_uses_the_engine_stops_and_the_parent_goes_on",
      "a_child_of_fork_may_make_an_engine_of_its_own"]),
    ("F31", "descriptors left to a program", "here"),
    ("F32", "a worker process crashes", ["a_killed_worker_is_started_again",
                                         "a_crash_harms_no_other_process"]),
    ("F33", "no thread is to be had", "not possible here: no limit of threads holds for root"),
    ("F34", "SCM_RIGHTS", NO_RIGHTS),
    ("F35", "datagrams", NO_UDP),
    ("F36", "workers on one port", ["a_killed_worker_is_started_again"]),
    ("U01", "the ring is refused", "here"),
    ("U02", "parts of io_uring are missing", "here"),
    ("U03", "a submission queue of two", "here"),
    ("U04", "completions overflow, EBUSY, EBADR", "here"),
    ("U05", "no buffer is left", "here"),
    ("U06", "a multishot ends", "no multishot requests"),
    ("U07", "what a cancel is answered", "here"),
    ("U08", "linked time-outs", "deadlines are the engine's own"),
    ("U09", "destroyed while in flight", ["destroying_a_task_that_waits_stops_the_program",
                                          "a_hundred_engines_one_after_the_other_leave_nothing_behind"]),
    ("U10", "close with a receive in flight", ["closing_a_stream_ends_its_pending_receive"]),
    ("U11", "zero copy notifications", "no zero copy"),
    ("U12", "registered descriptors", "none are registered"),
    ("U13", "completions cut short", "here"),
    ("U14", "bundles of buffers", "no bundles"),
    ("U15", "another thread submits", ["another_thread_that_runs_the_engine_stops_the_program"]),
    ("U16", "a ring inherited by fork",
     ["a_child_of_fork_that_uses_the_engine_stops_and_the_parent_goes_on"]),
    ("N01", "a peer that does not read", ["send_times_out_when_the_peer_does_not_read"]),
    ("N02", "a peer that does not send", ["a_silent_connection_ends_at_the_idle_timeout"]),
    ("N03", "more connections than allowed", ["a_full_house_makes_newcomers_wait"]),
    ("N04", "a producer that is too fast", ["a_full_channel_makes_the_sender_wait"]),
    ("N05", "lines without an end", "no line protocol"),
    ("N06", "lengths beyond the limit", ["a_message_that_is_too_long_is_refused_at_once"]),
    ("N07-N15", "WebSocket and HTTP", NO_HTTP),
    ("N16", "names", NO_NAMES),
    ("N17", "TLS", NO_TLS),
    ("N18", "users", "no users"),
]


def run(faults):
    """The outcome of each cell: {(row, engine): (status, reason)}."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        subprocess.run([faults, f"--gtest_output=json:{report}"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=300, check=False)
        suites = json.loads(report.read_text())["testsuites"]
    cells = {}
    for test in (t for s in suites for t in s["testsuite"]):
        found = re.fullmatch(r"([FUN]\d\d)_\w+/(\w+)", test["name"])
        if not found:
            sys.exit(f"{test['name']}: no test of a row")
        if "failures" in test:
            status = "failed"
        else:
            status = "skipped" if test.get("result") == "SKIPPED" else "shown"
        key = found.groups()
        if cells.get(key) != "failed" and not (status == "skipped" and key in cells):
            cells[key] = status
    return cells


def tests_elsewhere():
    text = "".join(p.read_text() for p in (ROOT / "tests").rglob("*.cpp"))
    return set(re.findall(r"TEST_P\(\w+,\s*(\w+)\)", text))


def page(cells, existing):
    out = ["# Faults and engines", "",
           "Written by `tests/faults/matrix.py` from a run of its tests; do not edit.", "",
           "*yes*: a test of `tests/faults/` makes the fault happen on this engine and shows what comes",
           "of it. *-*: the engine has no part in it. Rows that other suites show name the test, which",
           "runs on each engine; what does not apply says why.", "",
           "| | fault | " + " | ".join(ENGINES) + " | shown by |",
           "|---|---|" + "---|" * (len(ENGINES) + 1)]
    problems = []
    counts = {"shown": 0, "elsewhere": 0, "not applicable": 0}
    for row, fault, proof in ROWS:
        if proof == "here":
            own = [cells.get((row, e)) for e in ENGINES]
            problems += [f"{row} on {e}: {s}" for e, s in zip(ENGINES, own) if s == "failed"]
            if "shown" not in own:
                problems.append(f"{row}: no test has shown it")
            counts["shown"] += own.count("shown")
            marks = ["yes" if s == "shown" else "-" for s in own]
            by = f"`faults`, {row}"
        elif isinstance(proof, list):
            problems += [f"{row}: there is no test {t}" for t in proof if t not in existing]
            counts["elsewhere"] += 1
            marks = [""] * len(ENGINES)
            by = "<br>".join(f"`{t}`" for t in proof)
        else:
            counts["not applicable"] += 1
            marks = ["-"] * len(ENGINES)
            by = proof
        out.append(f"| {row} | {fault} | " + " | ".join(marks) + f" | {by} |")
    out += ["", ", ".join(f"{n} {what}" for what, n in
                          (("cells shown by `faults`", counts["shown"]),
                           ("rows shown by other suites", counts["elsewhere"]),
                           ("rows that do not apply", counts["not applicable"]))) + ".", ""]
    return "\n".join(out), problems


def without_tests(cells):
    """Engines that this machine does not have: their cells cannot be checked here."""
    tested = {engine for _, engine in cells}
    return [e for e in ENGINES if e not in tested]


def take_from_page(engine, cells):
    """The cells of `engine` as the page has them."""
    at = ENGINES.index(engine) + 3
    for line in PAGE.read_text().splitlines():
        columns = [c.strip() for c in line.split("|")]
        if len(columns) > at and columns[at] == "yes":
            cells[columns[1], engine] = "shown"


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
    text, problems = page(cells, tests_elsewhere())
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
