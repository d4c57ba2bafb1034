#!/usr/bin/env python3
"""README*.md and docs/ say nothing that a script can refute.

docs.py code CXX CC       each ```cpp and ```c block compiles; README's echo server is examples/echo.cpp
docs.py links             each relative link in a *.md file leads to a file, and to a heading in it;
                          docs/index.md has a link to each public header
docs.py commands IOLITE   the command has each subcommand and option that is named; skipped without it

A block is a program or a file as it stands. One after the line `<!-- fragment -->` is the body of a
coroutine that has `iolite::stream peer`, `std::span<std::byte> buffer` and `int fd`.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wno-unused-variable", "-Werror"]
FRAGMENT_HEAD = """
#include <iolite/iolite.hpp>
#include <iolite/selector.hpp>
#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
using namespace std::chrono_literals;
"""


# A #line makes the block's file none of the compiler's main file to GCC, so that a lambda that a
# template of ours keeps is said to have no linkage. In a program's own file nothing is said.
NO_LINKAGE = """#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif
"""


def documents():
    return [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(document):
    """(language, number of its first line, text, is it a fragment) of each fenced block."""
    lines = document.read_text(encoding="utf-8").splitlines()
    begin = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if begin is None:
            begin = number
            continue
        language = lines[begin][3:].strip()
        fragment = begin > 0 and lines[begin - 1].strip() == "<!-- fragment -->"
        yield language, begin + 2, "\n".join(lines[begin + 1:number]) + "\n", fragment
        begin = None


def without_blocks(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


# --- code ---

def units():
    """(language, name, source): the fragments of a document make one unit, other blocks one each."""
    for document in documents():
        name = document.relative_to(ROOT)
        fragments = ""
        for language, line, text, fragment in blocks(document):
            if language not in ("cpp", "c"):
                continue
            marked = f'#line {line} "{name}"\n{text}'
            if not fragment:
                yield language, f"{name}:{line}", marked
                continue
            fragments += (f"[[maybe_unused]] static iolite::task<> fragment_{line}("
                          "[[maybe_unused]] iolite::stream peer, "
                          "[[maybe_unused]] std::span<std::byte> buffer, "
                          f"[[maybe_unused]] int fd) {{\n{marked}co_return;\n}}\n")
        if fragments:
            yield "cpp", f"the fragments of {name}", FRAGMENT_HEAD + fragments


def compiles(language, source, cxx, cc):
    command = [cc, "-std=c11"] if language == "c" else [cxx, "-std=c++23"]
    suffix = "." + language
    with tempfile.NamedTemporaryFile("w", suffix=suffix, encoding="utf-8") as file:
        file.write(source if language == "c" else NO_LINKAGE + source)
        file.flush()
        done = subprocess.run([*command, "-fsyntax-only", *WARNINGS, "-I", str(ROOT / "include"),
                               file.name], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


def check_code(cxx, cc):
    count = 0
    for language, name, source in units():
        count += 1
        good, said = compiles(language, source, cxx, cc)
        if not good:
            yield f"{name} does not compile:\n{said}"
    if count == 0:
        yield "there is no code block at all"
    first = next((text for language, _, text, _ in blocks(ROOT / "README.md")
                  if language == "cpp"), "")
    if first != (ROOT / "examples/echo.cpp").read_text(encoding="utf-8"):
        yield "the first program of README.md is not examples/echo.cpp, byte for byte"


# --- links ---

def anchors(document):
    """The names of its headings, as GitHub makes them."""
    for heading in re.findall(r"^#+ +(.*)$", without_blocks(document.read_text(encoding="utf-8")),
                              re.M):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def check_links():
    for document in sorted({*ROOT.glob("*.md"), *documents()}):
        name = document.relative_to(ROOT)
        text = without_blocks(document.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            to = document if not path else (document.parent / path).resolve()
            if not to.exists():
                yield f"{name}: the link {target} leads nowhere"
            elif anchor and to.suffix == ".md" and anchor not in anchors(to):
                yield f"{name}: {target}: no such heading"
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for header in sorted((ROOT / "include/iolite").glob("*.h*")):
        if f"(../include/iolite/{header.name})" not in index:
            yield f"docs/index.md has no link to {header.name}"


# --- commands ---

def commands_named():
    """(where, command line) of each `iolite ...` in backticks, or in a block of shell."""
    for document in documents():
        name = document.relative_to(ROOT)
        for span in re.findall(r"`([^`\n]+)`", without_blocks(document.read_text(encoding="utf-8"))):
            if span.startswith("iolite "):
                yield name, span
        for language, line, text, _ in blocks(document):
            if language in ("sh", "console"):
                for found in re.findall(r"(?:^|[|/$ ])(iolite [a-z-][^|&\n]*)", text, re.M):
                    yield f"{name}:{line}", found


def help_of(iolite, *words):
    done = subprocess.run([iolite, *words, "--help"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def check_commands(iolite):
    everything = help_of(iolite)
    subcommands = set(re.findall(r"^  ([a-z]+) {2,}", everything.partition("Subcommands:")[2], re.M))
    if not subcommands:
        yield "iolite --help lists no subcommands"
    for where, line in commands_named():
        words = line.split()[1:]
        if words[0] in subcommands:
            said = help_of(iolite, words[0])
        elif words[0].startswith("-"):
            said = everything
        else:
            yield f"{where}: `{line}`: there is no such subcommand"
            continue
        for option in (word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)):
            if not re.search(rf"(?:^|[\s,]){re.escape(option)}\b", said, re.M):
                yield f"{where}: `{line}`: there is no option {option}"


def main(what="", *arguments):
    checks = {"code": check_code, "links": check_links, "commands": check_commands}
    if what not in checks:
        print(__doc__)
        return 2
    if what == "commands" and not (arguments and os.access(arguments[0], os.X_OK)):
        print("skipped: the command iolite is not built")
        return SKIPPED
    found = list(checks[what](*arguments))
    for one in found:
        print(one)
    print(f"{what}: {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
