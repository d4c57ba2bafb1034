#!/usr/bin/env python3
"""The rules of the house that a script can check, on the files that git knows.

tidy.py             check the tree: one line for each finding, exit status 1 if there is one
tidy.py --list      the rules
tidy.py --selftest  feed each rule what it must find, and what it must not

A line that must break a rule says why:  // tidy: allow RULE, REASON
"""
import os
import pathlib
import re
import subprocess
import sys

import calls  # noqa: F401  # the rules register themselves
import direction  # noqa: F401
import form  # noqa: F401
from cases import CASES
from source import RULES, File

ROOT = pathlib.Path(__file__).resolve().parents[2]


def paths():
    try:
        listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], check=True,
                                capture_output=True).stdout.decode()
        found = [path for path in listed.split("\0") if path]
    except (OSError, subprocess.CalledProcessError):
        found = []
    if found:
        return [path for path in found if (ROOT / path).is_file()]
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders
                      if name not in (".git", "build", "node_modules", ".cache")]
        found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names]
    return found


def read_tree():
    tree = {}
    for path in sorted(paths()):
        try:
            tree[path] = File(path, (ROOT / path).read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            pass  # not text
    return tree


def findings(tree):
    for file in tree.values():
        for name, (_, check) in RULES.items():
            for line, what, remedy in check(file, tree):
                text = file.lines[line - 1] if 0 < line <= len(file.lines) else ""
                if not re.search(rf"tidy: allow {name}, \S", text):
                    yield f"{file.path}:{line}: {name}: {what}: {remedy}"


def selftest():
    wrong = 0
    for name, expected, path, text in CASES:
        tree = {p: File(p, t) for p, t in (text if isinstance(text, dict) else {path: text}).items()}
        found = [one for one in findings(tree)
                 if one.startswith(path + ":") and f" {name}: " in one]
        if len(found) != expected:
            wrong += 1
            print(f"{name}: {len(found)} findings, not {expected}, in {path}: {text!r:.200}")
    tested = {name for name, expected, _, _ in CASES if expected}
    for name in RULES.keys() - tested:
        wrong += 1
        print(f"{name}: no case makes it fire")
    print(f"{len(CASES)} cases, {wrong} wrong")
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--selftest"]:
        return selftest()
    if arguments == ["--list"]:
        for name, (what, _) in RULES.items():
            print(f"{name:16} {what}")
        return 0
    if arguments:
        print(__doc__)
        return 2
    tree = read_tree()
    found = list(findings(tree))
    print("\n".join(found + [f"{len(tree)} files, {len(found)} findings"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
