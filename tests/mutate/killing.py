"""What each test reaches, and the tests that a mutant meets."""
import hashlib
import json
import mmap
import threading
import time

KILLED, SURVIVED, NOT_COVERED = "killed", "survived", "not covered"
# Those that are the same each time first: what fails there is not the machine's.
EXACT = ("core", "codec", "conformance_simulated", "simulated", "interleavings", "fuzz_endpoints",
         "fuzz_frames", "fuzz_models", "fuzz_selector", "fuzz_simulate", "fuzz_websocket")
REAL = ("selector_tests", "misuse", "conformance", "faults", "allocations", "torture", "hostile",
        "draining", "surroundings")
SUITES = EXACT + REAL
# What a short run makes do with, and where it looks.
QUICK = ("core", "codec", "conformance_simulated", "fuzz_endpoints", "fuzz_frames", "fuzz_models")
EXACT_FILES = ("src/base", "src/core", "src/engines", "src/codec", "src/net", "src/files")
STEPS = (2, 10, 40)  # seconds of tests, the quickest first, before the next ones begin
WHOLE_SECONDS_MAX = 1800  # of a suite


class Reached:
    """A byte for each mutant, in memory that all processes of a test share."""

    def __init__(self, path, mutants):
        self.path = path
        self.size = mutants + 1
        path.write_bytes(bytes(self.size))
        self.file = path.open("r+b")
        self.bytes = mmap.mmap(self.file.fileno(), self.size)

    def clear(self):
        self.bytes[:] = bytes(self.size)

    def numbers(self):
        return [i for i, b in enumerate(self.bytes) if b]


class Test:
    def __init__(self, suite, name, seconds, reaches):
        self.suite = suite
        self.name = name  # a filter
        self.seconds = seconds
        self.reaches = set(reaches)


class Killing:
    def __init__(self, planting, suites):
        self.tree = planting.tree
        self.folder = self.tree.path.parent
        self.mutants = len(planting.mutants)
        self.written = planting.write()
        self.tests = []
        for suite in suites:
            self.tests += self.look_at(suite)
        self.killers = {}  # by file: tests that killed there
        self.lock = threading.Lock()

    # --- without any mutant ---

    def look_at(self, suite):
        """The tests of a suite that pass, with what they reach; as known from before if it is."""
        path = self.tree.executable(suite)
        mark = hashlib.sha256(open(path, "rb").read()).hexdigest()
        kept = self.folder / f"reached-{suite}.json"
        if kept.is_file() and (known := json.loads(kept.read_text()))["of"] == mark:
            return [Test(suite, *t) for t in known["tests"]]
        begin = time.monotonic()
        tests = self.look_at_program(suite) if suite.startswith("fuzz_") else \
            self.look_at_suite(suite)
        print(f"mutate: {suite}: {len(tests)} tests, {time.monotonic() - begin:.0f} s", flush=True)
        kept.write_text(json.dumps({"of": mark, "tests": [
            [t.name, t.seconds, sorted(t.reaches)] for t in tests]}))
        return tests

    def look_at_program(self, suite):
        reached = Reached(self.folder / "reached", self.mutants)
        begin = time.monotonic()
        if failed := self.tree.first_failure(suite, "*", WHOLE_SECONDS_MAX,
                                             **self.noting(reached)):
            print(f"mutate: without a mutant {failed} fails: left out", flush=True)
            return []
        return [Test(suite, "*", time.monotonic() - begin, reached.numbers())]

    def look_at_suite(self, suite):
        """A test that stops the program is left out, and the others go on without it."""
        reached = Reached(self.folder / "reached", self.mutants)
        log = self.folder / "reached.log"
        passed, out = {}, []
        while True:
            log.unlink(missing_ok=True)
            without = ":".join([*passed, *out])
            failed = self.tree.first_failure(
                suite, "*-" + without if without else "*", WHOLE_SECONDS_MAX,
                IOLITE_MUTANTS_LOG=str(log), **self.noting(reached))
            lines = log.read_text().splitlines() if log.is_file() else []
            for name, milliseconds, fate, *numbers in (line.split() for line in lines):
                if fate == "passed":
                    passed[name] = Test(suite, name, int(milliseconds) / 1000, map(int, numbers))
            if not failed:
                return list(passed.values())
            name = failed.split(" ")[0].rstrip(",")
            if "." not in name or name in out:
                raise SystemExit(f"mutate: {suite} fails without a mutant: {failed}")
            print(f"mutate: without a mutant {failed} fails: left out", flush=True)
            out.append(name)

    def noting(self, reached):
        return {"IOLITE_MUTANTS_REACHED": str(reached.path),
                "IOLITE_MUTANTS": str(reached.size)}

    # --- with one ---

    def order(self, mutant):
        """Quick ones first, and before them what has killed in the same file."""
        killers = self.killers.get(mutant.file, {})
        there = [t for t in self.tests if mutant.number in t.reaches]
        return sorted(there, key=lambda t: (t.seconds + 0.05) / (1 + killers.get(id(t), 0))
                      * (1 if t.suite in EXACT else 2))

    def kill(self, mutant, seconds_max):
        """(its fate, the test or what is to be said, seconds)."""
        begin = time.monotonic()
        tests = self.order(mutant)
        if not tests:
            return NOT_COVERED, "", 0
        tried = 0
        for batch in batches(tests):
            if killer := self.meets(mutant, batch):
                return KILLED, killer, time.monotonic() - begin
            tried += len(batch)
            if time.monotonic() - begin > seconds_max:
                break
        left = f", {tried} of them tried" if tried < len(tests) else ""
        return SURVIVED, f"{len(tests)} tests reach it{left}", time.monotonic() - begin

    def meets(self, mutant, batch):
        for suite in dict.fromkeys(t.suite for t in batch):
            tests = [t for t in batch if t.suite == suite]
            if failed := self.fails(mutant, suite, tests):
                name = failed.split(" ")[0]
                if suite in EXACT or self.fails(mutant, suite,
                                                [t for t in tests if t.name == name] or tests):
                    self.note_killer(mutant, tests, name)
                    return f"{suite} {failed}"
        return None

    def fails(self, mutant, suite, tests):
        limit = 15 + 6 * sum(t.seconds for t in tests)
        return self.tree.first_failure(suite, ":".join(t.name for t in tests), limit,
                                       IOLITE_MUTANT=str(mutant.number))

    def note_killer(self, mutant, tests, name):
        with self.lock:
            known = self.killers.setdefault(mutant.file, {})
            for t in tests:
                if t.name == name:
                    known[id(t)] = known.get(id(t), 0) + 1


def batches(tests):
    """The quickest ones for a few seconds, then more of them."""
    at = 0
    for step in (*STEPS, *[STEPS[-1]] * len(tests)):
        batch, seconds = [], 0
        while at < len(tests) and (not batch or seconds < step):
            batch.append(tests[at])
            seconds += tests[at].seconds + 0.001
            at += 1
        if batch:
            yield batch
