#!/usr/bin/env python3
"""What prose says of figures is what the tables say.

figures.py     every claim in README*.md and docs/ holds in the tables as they are now

A claim is a comment in front of a paragraph or a list; regenerating a table may break it:

  <!-- holds: compare[nonblocking, CPU us] < compare[posix_aio, CPU us] -->
  <!-- figures: 2.1 = fd_limits[10, select] / fd_limits[10, epoll]; about 60 = pp1[epoll, p50] -->

Each figure stands in the text up to the next blank line, and is its expression rounded to as many
places; after `about` it may differ by a twentieth. TABLE[ROW, COLUMN] is the first number of a cell;
a row or column is named by its whole name, by how that begins, or by a part, if only one fits.

Tables: those in an `<!-- output: NAME -->` of the guide (NAME.2 is the second one in it), those under
a heading that begins with a `NAME` in backticks, and whatever follows `<!-- table: NAME -->`.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
CELL = re.compile(r"([a-z]\w*(?:\.\d)?)\[([^,\]]+), *([^\]]+)\]")
CLAIM = re.compile(r"^<!-- (holds|figures): (.*?) -->$", re.M)
FENCED = re.compile(r"^<!-- (?:output|table): (\S+) -->\n```text\n(.*?)^```$", re.M | re.S)
MARKED = re.compile(r"(?:^<!-- table: (\S+) -->\n|^#+ `(\w+)`.*\n+)((?:\|.*\n)+)", re.M)


class Wrong(Exception):
    pass


def documents():
    return [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


# --- tables ---

def number(text):
    found = NUMBER.search(text)
    return float(found[0].replace(",", "")) if found else None


def of_text(text):
    """The tables in an output: [{row: {column: cell}}]."""
    tables, columns = [], []
    for line in text.splitlines():
        cells = re.split(r" {2,}", line.strip())
        if len(cells) >= 3 and not any(re.match(r"[-\d]", cell) for cell in cells):
            columns = cells
            tables.append({})
        elif columns and len(cells) >= 2:
            tables[-1][cells[0]] = dict(zip(columns[1:], cells[1:]))
    return [table for table in tables if table]


def of_markdown(text):
    rows = [[cell.strip().strip("*`") for cell in line.strip("|").split("|")]
            for line in text.splitlines()]
    return {row[0]: dict(zip(rows[0][1:], row[1:])) for row in rows[2:]}


def tables():
    """{name: {row: {column: cell}}}. What both languages have is the same: other tests see to it."""
    found = {}
    for document in reversed(documents()):
        text = document.read_text(encoding="utf-8")
        for name, block in FENCED.findall(text):
            for place, table in enumerate(of_text(block), 1):
                found[name if place == 1 else f"{name}.{place}"] = table
        for name, heading, block in MARKED.findall(text):
            found[name or heading] = of_markdown(block)
    return found


def named(name, among, what):
    for fits in (lambda one: one == name, lambda one: one.startswith(name),
                 lambda one: name in one):
        found = [one for one in among if fits(one)]
        if len(found) == 1:
            return among[found[0]]
    raise Wrong(f"{what} has not one {name!r} among {', '.join(among)}")


def cell(all_tables, name, row, column):
    if name not in all_tables:
        raise Wrong(f"there is no table {name!r}")
    text = named(column.strip(), named(row.strip(), all_tables[name], name), name)
    value = number(text)
    if value is None:
        raise Wrong(f"{name}[{row}, {column}] is no number: {text!r}")
    return value


# --- claims ---

def value(expression, all_tables):
    """Arithmetic on cells: the expressions are this repository's own."""
    numbers = CELL.sub(lambda c: repr(cell(all_tables, c[1], c[2], c[3])), expression)
    try:
        return eval(numbers, {"__builtins__": {}}, {"min": min, "max": max})
    except (SyntaxError, NameError, TypeError, ZeroDivisionError) as why:
        raise Wrong(f"{numbers}: {why}") from why


def behind(text, end):
    """The paragraph or list after a claim, without further comments."""
    rest = re.sub(r"\A(?:\n?<!--.*?-->)*\n", "", text[end:])
    return rest.partition("\n\n")[0]


def check_figure(one, paragraph, all_tables):
    said, _, expression = (part.strip() for part in one.partition("="))
    roughly, figure = re.fullmatch(r"(about )?([\d,.]+)", said).groups()
    if not re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d]|[.,]\d)", paragraph):
        raise Wrong(f"{figure} is not in the text")
    is_now, says = value(expression, all_tables), float(figure.replace(",", ""))
    half = 0.5 * 10 ** -len(figure.partition(".")[2])
    if abs(is_now - says) > (max(half, says / 20) if roughly else half) + 1e-9:
        raise Wrong(f"the text says {said}, the tables {is_now:.4g}: {expression}")


def check(kind, claim, paragraph, all_tables):
    for one in (part.strip() for part in claim.split(";")):
        if kind == "figures":
            check_figure(one, paragraph, all_tables)
        elif value(one, all_tables) is not True:
            raise Wrong(f"it does not hold any more: {one}")


def findings():
    all_tables, count = tables(), 0
    for document in documents():
        text = document.read_text(encoding="utf-8")
        for found in CLAIM.finditer(text):
            count += 1
            line = text.count("\n", 0, found.start()) + 1
            try:
                check(found[1], found[2], behind(text, found.end()), all_tables)
            except Wrong as why:
                yield f"{document.relative_to(ROOT)}:{line}: {why}"
    if count == 0:
        yield "there is no claim at all"


def main():
    found = list(findings())
    for one in found:
        print(one)
    print(f"figures: {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
