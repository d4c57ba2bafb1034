#!/usr/bin/env python3
"""Finds coroutines that GCC 12 miscompiles without a warning.

    gcc12_check.py FILE_OR_DIRECTORY...

It looks for two shapes, which docs/gcc12.md describes with their remedies:

- a condition of if, while or switch that awaits, in a coroutine without a local variable: the
  coroutine hangs or crashes
- a conditional operator that makes a temporary, in the operand of a co_await: the temporary is
  destroyed twice

Prints FILE:LINE: what is wrong. The status is 0 if there is nothing, 1 if there is something, 2 if a
file cannot be read. It goes by the text, not by types: a line that it is wrong about gets the
comment `// gcc12: ok, REASON`.
"""
import pathlib
import re
import sys

SUFFIXES = {".cpp", ".cc", ".cxx", ".hpp", ".hh", ".h", ".ipp"}
BLANKED = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'',
                     re.S)
CONTROL = {"if", "for", "while", "switch", "catch", "constexpr"}
NO_TYPES = {"return", "co_return", "co_await", "co_yield", "throw", "delete", "new", "using", "typedef",
            "goto", "case", "else", "if", "for", "while", "switch", "do", "break", "continue",
            "static", "struct", "class", "enum", "union", "namespace", "default", "operator"}
FUNCTION_HEAD = re.compile(
    r"(?:\)|\])\s*(?:mutable|noexcept|const|override|final|&&?|\s)*(?:->[^;{}]*)?$")
DECLARATION = re.compile(
    r"(?:^|[;{}(])\s*(?:\[\[[^\]]*\]\]\s*)*(?:(?:const|constexpr|volatile)\s+)*"
    r"([A-Za-z_][\w:]*)(?:<[^;{}]*?>)?(?:::\w+)*(?:\s*[&*]+\s*|\s+)(?:const\s+)?"
    r"(?:[A-Za-z_]\w*\s*(?:=(?!=)|;|\{|\(|\[|:(?!:)|,)|\[)")


def without_text(source):
    """The same with comments and literals blanked; a string literal keeps its quotes."""
    def blank(match):
        text = re.sub(r"[^\n]", " ", match.group())
        return '"' + text[1:-1] + '"' if match.group()[-1] == '"' and len(text) > 1 else text
    return BLANKED.sub(blank, source)


def matching(text, at, opening, closing):
    """The place of what closes the bracket at `at`, or the end."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == opening) - (text[i] == closing)
        if depth == 0:
            return i
    return len(text)


def opener(text, at):
    """The place of what opens the parenthesis that closes at `at`."""
    depth = 0
    for i in range(at, -1, -1):
        depth += (text[i] == ")") - (text[i] == "(")
        if depth == 0:
            return i
    return 0


def is_function(text, brace):
    head = text[max(0, brace - 600):brace]
    head = head[max(head.rfind(c) for c in ";{}") + 1:]
    found = FUNCTION_HEAD.search(head)
    if not found:
        return False
    if head[found.start()] == "]":  # a lambda without parameters, no subscript
        return not re.search(r"\w\s*\[[^\[\]]*\]$", head[:found.start() + 1])
    begin = opener(text, brace - len(head) + found.start())
    before = re.search(r"(\w+)\s*$", text[max(0, begin - 40):begin])
    return not (before and before.group(1) in CONTROL)


def bodies(text):
    """(begin, end) of each body of a function or lambda, innermost included."""
    for i, c in enumerate(text):
        if c == "{" and is_function(text, i):
            yield i, matching(text, i, "{", "}")


def own_text(text, body, all_bodies):
    """The body with the bodies inside of it blanked."""
    begin, end = body
    own = text[begin:end]
    for inner_begin, inner_end in all_bodies:
        if begin < inner_begin and inner_end <= end:
            a, b = inner_begin - begin + 1, inner_end - begin
            own = own[:a] + re.sub(r"[^\n]", " ", own[a:b]) + own[b:]
    return own


def has_local(own):
    return any(m.group(1) not in NO_TYPES for m in DECLARATION.finditer(own[1:]))


def awaiting_conditions(own):
    for m in re.finditer(r"\b(if|while|switch)\s*(?:constexpr\s*)?\(", own):
        condition = own[m.end() - 1:matching(own, m.end() - 1, "(", ")")]
        if re.search(r"\bco_await\b", condition):
            yield m.start()


def operand(own, at):
    """What a co_await at `at` awaits: up to the end of its statement or of the bracket it is in."""
    depth = 0
    for i in range(at, len(own)):
        if own[i] in "([{":
            depth += 1
        elif own[i] in ")]}":
            depth -= 1
        if depth < 0 or (depth == 0 and own[i] == ";"):
            return own[at:i]
    return own[at:]


def temporary_conditionals(own):
    for m in re.finditer(r"\bco_await\b", own):
        text = operand(own, m.end())
        for question in re.finditer(r"\?", text):
            inside = text[:question.start()].count("(") > text[:question.start()].count(")")
            branches = operand(text, question.end())
            if inside and re.search(r'[({+]|"\w', branches):
                yield m.start()
                break


def check(name, source):
    text = without_text(source)
    lines = source.splitlines()
    all_bodies = list(bodies(text))
    for body in all_bodies:
        own = own_text(text, body, all_bodies)
        if not re.search(r"\bco_(await|return|yield)\b", own):
            continue
        found = [(at, "a conditional operator that makes a temporary is awaited")
                 for at in temporary_conditionals(own)]
        if not has_local(own):
            found += [(at, "a condition awaits, in a coroutine without a local variable")
                      for at in awaiting_conditions(own)]
        for at, what in sorted(found):
            number = text.count("\n", 0, body[0] + at) + 1
            if "gcc12: ok," not in lines[number - 1]:
                yield f"{name}:{number}: {what}"


def files(arguments):
    for argument in arguments:
        path = pathlib.Path(argument)
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
        else:
            yield path


def main(arguments):
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if arguments else 2
    status = 0
    for path in files(arguments):
        try:
            source = path.read_text(encoding="utf-8", errors="replace")
        except OSError as e:
            print(f"{path}: {e.strerror}", file=sys.stderr)
            return 2
        for line in check(path, source):
            print(line)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
