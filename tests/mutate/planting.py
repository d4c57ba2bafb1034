"""Mutants in a copy of the tree: which there are, a sample of them, and the sources they are in."""
import fnmatch
import functools
import pathlib
import random
import re
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from tree import ROOT, Tree  # noqa: E402

from cpp import Source  # noqa: E402
from operators import Mutator, render  # noqa: E402

SCOPE = ("include/iolite", "src/base", "src/core", "src/engines", "src/pollers", "src/codec",
         "src/net", "src/files", "src/serve", "src/selector")
NOT_BUILT = ("src/pollers/kqueue.cpp", "src/pollers/template.cpp", "src/engines/template.cpp")
ROUNDS_MAX = 30
ERROR = re.compile(r"^(\S+?):(\d+):(\d+): (?:fatal )?error: ", re.M)
NOTE = re.compile(r"^(\S+?):(\d+):(\d+): note: ", re.M)


def files(patterns=()):
    """Those in the scope, and of them those that a pattern names, if there is any."""
    known = sorted(str(p.relative_to(ROOT)) for folder in SCOPE
                   for p in (ROOT / folder).rglob("*.[ch]pp"))
    return [f for f in known if f not in NOT_BUILT and
            (not patterns or any(fnmatch.fnmatch(f, p) or f.startswith(p) for p in patterns))]


def all_mutants(patterns=()):
    return [m for f in files(patterns) for m in Mutator(f, Source(text_of(f))).mutants()]


@functools.cache
def text_of(name):
    """As it was at first: who works on the tree goes on while mutants meet their tests."""
    return (ROOT / name).read_text(encoding="utf-8")


def sample(mutants, size, seed):
    """The same ones for the same seed, whatever else changes in other files."""
    if not size or size >= len(mutants):
        return list(mutants)
    by_name = sorted(mutants, key=lambda m: m.name)
    return sorted(random.Random(seed).sample(by_name, size), key=lambda m: m.name)


class Planting:
    """Mutants that are built together. Those that do not compile are left out, one after the other."""

    def __init__(self, mutants, tree=None):
        self.tree = tree or Tree("mutate")
        self.mutants = list(mutants)
        self.broken = {}  # what the compiler says, by mutant
        self.places = {}  # by written file: (begin, end, number), offsets of what only a mutant does
        for number, m in enumerate(self.mutants, 1):
            m.number = number

    def in_file(self, name):
        return [m for m in self.mutants if m.file == name and m not in self.broken]

    def written(self, name):
        """A header, and what is included, count as the system's: nobody is warned of a mutant."""
        return name + ".mutated" if name.endswith(".cpp") else name

    def write(self):
        names = {m.file for m in self.mutants}
        header = (ROOT / "tests/mutate/mutant.hpp").as_posix()
        for name in sorted(names):
            there = self.in_file(name)
            text = render(text_of(name), there)
            if there:
                text = f'#pragma GCC system_header\n#include "{header}"\n' + text
            self.places[self.written(name)] = places(text)
            if name.endswith(".cpp"):
                self.tree.write(name, f'#include "{self.written(name)}"\n'.encode())
            self.tree.write(self.written(name), plain(text).encode())
        return names

    def prepare(self, *options):
        names = {m.file for m in self.mutants}
        self.tree.copy(but={self.written(n) for n in names} | names)
        self.write()
        self.tree.configure(f"-DIOLITE_TEST_LISTENER={ROOT}/tests/mutate/listener.cpp", *options)

    def build(self, targets):
        """Until all compile that are left; None, or what the compiler says of something else."""
        for _ in range(ROUNDS_MAX):
            said = self.tree.build(targets, "--", "-k", "0")
            if said is None:
                return None
            blamed = self.blame(said)
            if not blamed:
                return said
            self.broken |= blamed
            self.write()
        return said

    def blame(self, said):
        """Mutants that stand where the compiler is at odds, with what it says."""
        for pattern in (ERROR, NOTE):
            blamed = {}
            for m in pattern.finditer(said):
                line = said[m.start():said.index("\n", m.end())]
                for mutant in self.at(m[1], int(m[2]), int(m[3])):
                    blamed.setdefault(mutant, line.replace(str(self.tree.path) + "/", ""))
            if blamed:
                return blamed
        return {}

    def at(self, path, line, column):
        name = next((n for n in self.places if path.endswith("/" + n) or path == n), None)
        if not name:
            return []
        text = (self.tree.path / name).read_text(encoding="utf-8")
        starts = [0] + [m.end() for m in re.finditer("\n", text)]
        if line > len(starts):
            return []
        begin = starts[line - 1]
        here = len(text[begin:].encode()[:column - 1].decode(errors="ignore")) + begin
        mine = [p for p in self.places[name] if p[0] <= here < p[1]]
        if not mine:  # the compiler means the whole choice: any of the line
            end = starts[line] if line < len(starts) else len(text)
            mine = [p for p in self.places[name] if p[0] < end and p[1] >= begin]
        return [self.mutants[number - 1] for _, _, number in mine]


def places(text):
    """Where between the marks of Mutant.wrap() something stands, in the text without marks."""
    out, open_ones, removed = [], [], 0
    for m in re.finditer("\1(\\d+)\3|\2", text):
        if m[0] == "\2":
            begin, number = open_ones.pop()
            out.append((begin, m.start() - removed, number))
        else:
            open_ones.append((m.start() - removed, int(m[1])))
        removed += len(m[0])
    return out


def plain(text):
    return re.sub("\1\\d+\3|\2", "", text)
