#!/usr/bin/env python3
"""The form of the commits that are not older than this rule.

commits.py             check those of HEAD: one line for each finding, exit status 1 if there is one
commits.py --selftest  feed each rule what it must find, and what it must not

The subject is `area: what is different now`, at most 65 characters, without a full stop; a blank line;
a body that gives the reason. Merges are not checked.
"""
import re
import subprocess
import sys

FIRST_EXEMPT = "8cb61b6e65901f310bad901fcfc6a00b4327f446"  # the last commit that was made before the rule
SUBJECT_MAX = 65
SUBJECT = re.compile(r"[a-z][a-z0-9_./+ -]*: \S")


def findings(message):
    subject, *rest = message.rstrip("\n").split("\n")
    if len(subject) > SUBJECT_MAX:
        yield f"the subject has {len(subject)} characters, at most {SUBJECT_MAX} are allowed"
    if not SUBJECT.match(subject):
        yield "the subject does not have the form `area: what is different now`"
    if subject.endswith("."):
        yield "the subject ends in a full stop"
    if rest and rest[0]:
        yield "no blank line follows the subject"
    if not any(line.strip() for line in rest):
        yield "there is no body that gives the reason"


def git(*arguments):
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)


def commits():
    """(hash, message) of each; None in a tree without that history."""
    known = git("merge-base", "--is-ancestor", FIRST_EXEMPT, "HEAD")
    if known.returncode != 0:
        return None
    log = git("log", "--no-merges", "-z", "--format=%h%n%B", f"{FIRST_EXEMPT}..HEAD").stdout
    return [tuple(entry.split("\n", 1)) for entry in log.split("\0") if entry]


def check():
    there = commits()
    if there is None:
        print(f"commits: skipped: {FIRST_EXEMPT} is not in this history")
        return 0
    bad = [f"{name}: {what}: {message.splitlines()[0]}"
           for name, message in there for what in findings(message)]
    print("\n".join([*bad, f"commits: {len(there)} checked, {len(bad)} findings"]))
    return 1 if bad else 0


def selftest():
    good = "serve: a drain unlinks its path first\n\nIt removed that of its successor.\n"
    wrong = {
        "serve: " + "x" * 59 + "\n\nWhy.\n": "characters",
        "A drain unlinks its path first\n\nWhy.\n": "form",
        "serve: it is right.\n\nWhy.\n": "full stop",
        "serve: it is right\nWhy.\n": "blank line",
        "serve: it is right\n": "no body",
    }
    failed = [f"found in a good one: {w}" for w in findings(good)]
    for message, expected in wrong.items():
        found = list(findings(message))
        if len(found) != 1 or expected not in found[0]:
            failed.append(f"{message.splitlines()[0]}: {found}, not {expected}")
    print("\n".join([*failed, f"commits: selftest, {len(failed)} failures"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(selftest() if "--selftest" in sys.argv[1:] else check())
