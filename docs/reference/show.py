#!/usr/bin/env python3
"""Writes the public headers as Doxygen reads them, with /// in place of //: show.py FROM INTO.

The comments in the headers are plain C++ comments, for people who read the header. A comment before
or behind a declaration becomes its documentation. The first comment of a header becomes that of the
file, and of the class that the header is named after, unless the class has its own. Comments in the
bodies of functions stay as they are.
"""
import pathlib
import re
import sys

WHOLE_LINE = re.compile(r"^(\s*)//(?!/)(.*)$")
TRAILING = re.compile(r"^(.*\S)  // (.*)$")
NO_TEXT = re.compile(r"^ ?(NOLINT|---|namespace|clang-format)")
OPENS_DECLARATIONS = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b[^;()]*$")
SPECIAL = re.compile(r"([\\@#<>&$%])")


def without_comment(line):
    return re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'', "", line).split("//")[0]


class Scopes:
    """Whether a line is among declarations, or in the body of a function."""

    def __init__(self):
        self.open = []
        self.head = ""

    def of_declarations(self):
        return all(self.open)

    def pass_over(self, line):
        for c in without_comment(line):
            if c == "{":
                self.open.append(bool(OPENS_DECLARATIONS.search(self.head)))
                self.head = ""
            elif c == "}":
                if self.open:
                    self.open.pop()
                self.head = ""
            elif c == ";":
                self.head = ""
            else:
                self.head += c
        self.head += " "


def escaped(text):
    """What is between backticks is code; elsewhere nothing is a command or a tag."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return SPECIAL.sub(r"\\\1", text)
    return "`".join(p if i % 2 else SPECIAL.sub(r"\\\1", p) for i, p in enumerate(parts))


def documentation(indent, text):
    code = re.match(r" {3,}", text)
    return f"{indent}///{'  ' + text if code else escaped(text)}"


def named_after(stem, lines):
    """Where the declaration of that class begins, if no comment is before it; else None."""
    for i, line in enumerate(lines):
        if re.match(rf"(class|struct) (\[\[\w+\]\] )?{stem}\b[^;]*$", line):
            start = i - 1 if lines[i - 1].startswith("template") else i
            return None if lines[start - 1].startswith("//") else start
    return None


def shown(lines, stem):
    scopes = Scopes()
    first = []  # the comment of the file
    for line in lines:
        if not line.startswith("//"):
            break
        first.append(documentation("", line[2:]))
    yield from ["/// \\file", *first, ""]
    about_class = named_after(stem, lines)
    for i, line in enumerate(lines[len(first):], len(first)):
        if i == about_class:
            yield from first
        yield documented(line, scopes.of_declarations())
        scopes.pass_over(line)


def documented(line, is_declaration):
    whole, trailing = WHOLE_LINE.match(line), TRAILING.match(line)
    if not is_declaration or (whole and NO_TEXT.match(whole[2])):
        return line
    if line.startswith("/* "):  # the C interface
        return "/** " + line[3:]
    if whole:
        return documentation(whole[1], whole[2])
    if trailing and not NO_TEXT.match(trailing[2]) and not trailing[1].endswith("{"):
        return f"{trailing[1]}  ///< {escaped(trailing[2])}"
    return line


def main(source, target):
    for path in sorted(p for p in source.rglob("*") if p.suffix in (".h", ".hpp")):
        out = target / path.relative_to(source)
        out.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines()
        out.write_text("\n".join(shown(lines, path.stem)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*(pathlib.Path(p) for p in sys.argv[1:]))
