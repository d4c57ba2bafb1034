"""Which folder is above which, and which one is behind a public header.

A public header belongs to the folder that implements it: that of the source file which includes it
first, in a block of its own, or which has its name. A header that nobody implements belongs to the
folder it is named after (iolite/core/x.hpp to core); other ones, of templates and inline functions
only, bring what they include.
"""
import re

# What a folder of src/ may include from those below it, besides all that they may. Arrows point
# down: what has none knows nothing but the standard library.
ARROWS = {
    "base": [],
    "kernel": ["base"],
    "kernel/simulated": ["kernel"],
    "pollers": ["kernel"],
    "core": ["kernel"],
    "engines": ["core", "pollers"],
    "codec": ["base"],  # bytes in, events out
    "net": ["core", "codec"],
    "http": ["net", "codec"],  # a codec driven over a byte_stream; a library of its own
    "files": ["net"],  # send_file() gives them to a stream
    "models": ["engines"],
    "selector": ["models"],
    "serve": ["models", "net"],
    "simulate": ["serve", "kernel/simulated"],
    "trace": ["models", "net"],
}


def all_below(folder):
    """What `folder` may include, itself apart."""
    found = set(ARROWS.get(folder, ()))
    for below in ARROWS.get(folder, ()):
        found |= all_below(below)
    return found


def folder_of(path):
    """Of a file of src/; empty for one that lies in src/ itself."""
    parts = path.split("/")[1:-1]
    two = "/".join(parts[:2])
    return two if two in ARROWS else "/".join(parts[:1])


def own_headers(file):
    """The public headers that a source file implements."""
    lines = [line for line in file.lines if not line.startswith("//")]
    first = re.match(r'#include "(iolite/[^"]+)"\n\n', "\n".join(lines) + "\n\n")
    stem = re.compile(rf"iolite/(?:\w+/)*{re.escape(file.stem)}\.h(?:pp)?")
    return {name for _, name, _ in file.includes()
            if (first and name == first[1]) or stem.fullmatch(name)}


class Levels:
    def __init__(self, tree):
        self.tree = tree
        self.owners = {}
        for file in tree.values():
            if file.in_src and file.path.endswith(".cpp") and folder_of(file.path):
                for header in own_headers(file):
                    self.owners.setdefault(header, set()).add(folder_of(file.path))

    def owners_of(self, header):
        """The folders that a public header `iolite/...` belongs to; none: what it includes."""
        if header in self.owners:
            return self.owners[header]
        parts = header.split("/")
        return {parts[1]} if len(parts) > 2 and parts[1] in ARROWS else set()

    def behind(self, name, seen=None):
        """The folders that `#include "name"` brings."""
        public = name.startswith("iolite/")
        path = "include/" + name if public else "src/" + name.removeprefix("src/")
        owners = self.owners_of(name) if public else {folder_of(path)} - {""}
        seen = seen if seen is not None else set()
        if owners or path in seen or path not in self.tree:
            return owners
        seen.add(path)
        return {folder for _, inner, system in self.tree[path].includes()
                if not system or inner.startswith("iolite/")
                for folder in self.behind(inner, seen)}


def levels_of(tree):
    """Computed once for a tree."""
    known = getattr(levels_of, "known", None)
    if known is None or known.tree is not tree:
        levels_of.known = known = Levels(tree)
    return known
