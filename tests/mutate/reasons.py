"""Why a mutant may survive: reasons.txt, a line each.

  FILE | OPERATOR | TEXT | KIND: why

for mutants of FILE whose line contains TEXT, blanks aside; OPERATOR is a pattern, as in `bound*`.
A mutant that is killed needs no reason.
"""
import fnmatch
import pathlib
import re

from planting import text_of

FILE = pathlib.Path(__file__).resolve().parent / "reasons.txt"
KINDS = ("same", "speed", "rare")  # nothing changes; costs only; takes a chance that no test has


def flat(text):
    return re.sub(r"\s+", " ", text).strip()


class Reason:
    def __init__(self, line):
        parts = [part.strip() for part in line.split(" | ")]
        if len(parts) != 4 or parts[3].split(":")[0] not in KINDS:
            raise SystemExit(f"mutate: reasons.txt: not FILE | OPERATOR | TEXT | KIND: why: {line}")
        self.file, self.operator, self.text, self.why = parts
        self.used = False

    def fits(self, mutant, line):
        return mutant.file == self.file and self.text in line and any(
            fnmatch.fnmatch(mutant.operator, p) for p in self.operator.split(","))


def known():
    return [Reason(line) for line in FILE.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")]


class Reasons:
    def __init__(self):
        self.all = known()
        self.lines = {}

    def line_of(self, mutant):
        if mutant.file not in self.lines:
            self.lines[mutant.file] = text_of(mutant.file).splitlines()
        return flat(self.lines[mutant.file][mutant.line - 1])

    def of(self, mutant):
        """Why it may survive; None if it may not."""
        line = self.line_of(mutant)
        for reason in self.all:
            if reason.fits(mutant, line):
                reason.used = True
                return reason.why
        return None

    def stale(self, mutants):
        """Those that are about no mutant any more."""
        for m in mutants:
            self.of(m)
        return [r for r in self.all if not r.used]
