#!/usr/bin/env python3
"""The Chinese documents say what the English ones say, as far as a script can see.

languages.py    both have the same headings, tables, claims and code (comments in it may differ);
                no line of Chinese ends within a sentence, where a reader would see a blank; and
                what README shows of a terminal fits in 80 columns
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/guide"
HAN = r"[\u3400-\u9fff]"
COLUMNS = 80
BLOCK = re.compile(r"^```(\S*)\n(.*?)^```$", re.M | re.S)


def pairs():
    yield ROOT / "README.md", ROOT / "README.zh-CN.md"
    for english in sorted(GUIDE.glob("*.md")):
        yield english, GUIDE / "zh" / english.name


def without_comment(line):
    return re.sub(r"\s*(?:(?<!\S)# |//).*|<[^<>]*>", "", line).rstrip()


def code(text):
    """(language, lines) of each block, without comments and placeholders."""
    bare = ((language, re.sub(r"\s*/\*.*?\*/", "", block, flags=re.S))
            for language, block in BLOCK.findall(text))
    return [(language, [line for line in map(without_comment, block.splitlines()) if line])
            for language, block in bare]


def prose(text):
    return BLOCK.sub("", text)


def headings(text):
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(text), re.M)]


def tables(text):
    """Rows and columns of each table."""
    return [(table.count("\n"), table.splitlines()[0].count("|"))
            for table in re.findall(r"(?:^\|.*\n)+", prose(text), re.M)]


def claims(text):
    return re.findall(r"^<!-- figures: (.*) -->$", text, re.M)


def differences(english, chinese):
    one, other = (path.read_text(encoding="utf-8") for path in (english, chinese))
    for what, of in ("headings", headings), ("tables", tables), ("claims", claims):
        if of(one) != of(other):
            yield f"{chinese.relative_to(ROOT)}: other {what}: {of(other)}, in English {of(one)}"
    for (language, ours), (_, theirs) in zip(code(one), code(other)):
        if ours != theirs:
            yield f"{chinese.relative_to(ROOT)}: other {language or 'code'}: {theirs}, not {ours}"
    if len(code(one)) != len(code(other)):
        yield f"{chinese.relative_to(ROOT)}: {len(code(other))} blocks, in English {len(code(one))}"


def broken_lines(chinese):
    """A line break is a blank to a reader: none between two Han characters."""
    text = chinese.read_text(encoding="utf-8")
    for found in re.finditer(rf"{HAN}\n *(?=({HAN}))", text):
        line = text.count("\n", 0, found.start()) + 1
        yield f"{chinese.relative_to(ROOT)}:{line}: it ends between two Han characters"


def wide_lines(readme):
    for language, block in BLOCK.findall(readme.read_text(encoding="utf-8")):
        for line in block.splitlines() if language == "text" else ():
            if len(line) > COLUMNS:
                yield f"{readme.name}: {len(line)} columns of a terminal: {line}"


def findings():
    for english, chinese in pairs():
        if not chinese.exists():
            yield f"there is no {chinese.relative_to(ROOT)}"
            continue
        yield from differences(english, chinese)
        yield from broken_lines(chinese)
    for readme in sorted(ROOT.glob("README*.md")):
        yield from wide_lines(readme)


def main():
    found = list(findings())
    for one in found:
        print(one)
    print(f"languages: {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
