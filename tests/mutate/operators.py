"""What a mutant is, and which ones there are of a source.

All mutants of a build are in it at once. Each is a choice made at run time, by its number:

  a < b         (iolite_mutant(7) ? a <= b : a < b)
  f(x);         { if (!iolite_mutant(8)) { f(x); } }

so a thousand of them cost one build, and each costs only the tests that it takes to kill it.
"""
import re
from dataclasses import dataclass, field

BOUNDS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
EQUALITY = {"==": "!=", "!=": "=="}
SUMS = {"+": "-", "-": "+"}
LOGIC = {"&&": "||", "||": "&&"}
CHANGES = {"+=": "-=", "-=": "+="}
WAITS = {"co_await", "co_yield", "co_return"}
INTEGER = re.compile(r"(0[xX][\da-fA-F']+|0[bB][01']+|\d[\d']*)([uUlLzZ]*)$")
ATOMIC = {"load", "store", "exchange", "fetch_add", "fetch_sub"}  # sequentially consistent
# Rules hold: what changes one shows only to who breaks it. Hints to the processor change nothing.
LEFT_ALONE = ("IOLITE_ASSERT", "__builtin_prefetch")
NOTHING = {"", "{}", "0", "false", "true", "nullptr", "*this"}


@dataclass(eq=False)
class Mutant:
    file: str
    line: int
    column: int
    operator: str
    begin: int  # what it changes, in the file
    end: int
    was: str
    becomes: str
    form: str  # choose, negate, drop, before, instead: see wrap()
    constexpr: bool = False  # where a constant may be wanted
    also: list = field(default_factory=list)  # (begin, end, text): changed whether it is on or not
    number: int = 0

    @property
    def name(self):
        return f"{self.file}:{self.line}:{self.column}:{self.operator}"

    @property
    def says(self):
        flat = [re.sub(r"\s+", " ", text) for text in (self.was, self.becomes)]
        return " -> ".join(text if len(text) < 90 else text[:87] + "..." for text in flat)

    def wrap(self, inner):
        """`inner` with the choice; between \\1 and \\2 stands what only the mutant does."""
        on = f"iolite_mutant{'_now' if self.constexpr else ''}({self.number})"
        mine = f"\1{self.number}\3{self.becomes}\2"
        return {"choose": f"({on} ? {mine} : {inner})",
                "negate": f"({on} != static_cast<bool>({inner}))",
                "drop": f"{{ if (!{on}) {{ {inner} }} }}",
                "before": f"if ({on}) {{ {mine} }} {inner}",
                "instead": f"{{ if ({on}) {{ {mine} }} {inner} }}"}[self.form]


class Mutator:
    def __init__(self, name, source):
        self.name = name
        self.source = source
        self.tokens = source.tokens
        self.found = {}
        self.rules = self.inside_of_rules()

    def mutants(self):
        for f in self.source.functions:
            for s in f.statements:
                self.statement(s)
            self.early_returns(f)
        for first, last in self.source.conditions:
            f = self.function_of(first)
            if f:
                self.negate(f, first, last)
                self.expression(f, first, last)
        self.constants_declared()
        return sorted(self.found.values(), key=lambda m: (m.begin, m.end, m.operator))

    def inside_of_rules(self):
        out = set()
        for i, t in enumerate(self.tokens):
            if t.text in LEFT_ALONE and self.tokens[i + 1].match > 0:
                out.update(range(i, self.tokens[i + 1].match + 2))
        return out

    def function_of(self, i):
        inside = [f for f in self.source.functions if f.body < i < f.end]
        return max(inside, key=lambda f: f.body, default=None)

    def add(self, f, operator, first, last, becomes, form="choose", **more):
        if first in self.rules:
            return
        begin, end = self.source.span(first, last)
        if form == "before":
            end = begin
        if (begin, end, operator) in self.found:
            return
        line, column = self.source.place(begin)
        same = sum((b, o) == (begin, operator) for b, _, o in self.found)  # a && b, and a of it
        self.found[begin, end, operator] = Mutant(
            self.name, line, column, operator + (f".{same + 1}" if same else ""), begin, end,
            self.source.text[begin:end], becomes, form, constexpr=bool(f and f.constexpr), **more)

    def waits(self, first, last):
        return any(t.text in WAITS for t in self.tokens[first:last + 1])

    # --- statements ---

    def statement(self, s):
        words = self.source.words(s.first, s.last)
        starts = self.tokens[s.first].text
        if starts == "static_assert" or starts in LEFT_ALONE or starts in ("struct", "class", "using"):
            return
        if s.kind in ("expression", "jump") and s.last > s.first and starts not in ("throw",):
            self.add(s.function, "drop", s.first, s.last, "", "drop")
        if s.kind == "return":
            self.returned(s, starts, words)
        first = s.first
        if s.kind == "declaration":
            texts = [self.tokens[j].text for j in range(s.first, s.last)]
            if "=" not in texts or "constexpr" in texts:
                return
            first += texts.index("=") + 1
        self.expression(s.function, first, s.last - 1)

    def returned(self, s, starts, words):
        value = words[len(starts):-1].strip()
        if value in NOTHING or value.startswith("{") or self.waits(s.first + 1, s.last) or \
                (self.tokens[s.first + 1].kind == "number" and s.last == s.first + 2):
            return
        empty = f"{starts} std::remove_cvref_t<decltype({value})>{{}};"
        self.add(s.function, "return", s.first, s.last, empty, "instead")

    def early_returns(self, f):
        if f.is_lambda or not f.statements:
            return
        own = f.statements
        waits = self.waits(f.body, f.end)
        gives = any(s.kind == "return" and s.last > s.first + 1 for s in own)
        word = ("co_return" if waits else "return") + (" {};" if gives else ";")
        there = [s for s in own if s.in_block and s.kind != "return" and self.is_outermost(f, s)
                 and self.tokens[s.first].text not in LEFT_ALONE]
        if there and there[0].last < f.end - 1:  # else it is as if that were dropped
            for s in {id(s): s for s in (there[0], there[-1])}.values():
                self.add(f, "early", s.first, s.first, word, "before")

    def is_outermost(self, f, s):
        depth = 0
        for t in self.tokens[f.body + 1:s.first]:
            depth += (t.text == "{") - (t.text == "}")
        return depth == 0

    # --- expressions ---

    def negate(self, f, first, last):
        if not self.waits(first, last):
            self.add(f, "negate", first, last, f"!({self.source.words(first, last)})", "negate")

    def expression(self, f, first, last):
        """All of its operators, those in brackets too; lambdas have statements of their own."""
        class Bound:
            pass
        j = first
        while j <= last:
            if self.tokens[j].text == "{" and self.tokens[j].match > j and any(
                    g.body == j for g in self.source.functions):
                j = self.tokens[j].match + 1
                continue
            bound = Bound()
            bound.first, bound.last = self.enclosing(first, last, j)
            self.token(f, j, bound)
            j += 1

    def enclosing(self, first, last, j):
        """The innermost bracket around it, or all."""
        for k in range(j - 1, first - 1, -1):
            if self.tokens[k].text in ("(", "[", "{") and self.tokens[k].match > j:
                return k + 1, self.tokens[k].match - 1
        return first, last

    def token(self, f, j, bound):
        t = self.tokens[j]
        if t.kind == "number":
            self.constant(f, j)
        elif t.text in ("true", "false"):
            self.add(f, "flip", j, j, "false" if t.text == "true" else "true")
        elif t.text == "(":
            self.call(f, j)
        elif t.text in CHANGES:
            self.binary(f, j, bound, "arithmetic", CHANGES[t.text])
        elif t.text in ("++", "--"):
            self.step(f, j)
        elif t.text == "?":
            left = self.source.leftmost(j, 0, bound.first)
            if left < j:
                self.negate(f, left, j - 1)
        elif self.source.is_binary(j):
            self.operator(f, j, bound)

    def operator(self, f, j, bound):
        text = self.tokens[j].text
        if text in LOGIC:
            left, right = self.source.operands(j, bound)
            self.negate(f, left, j - 1)
            self.negate(f, j + 1, right)
        for table, name in ((BOUNDS, "bound"), (SUMS, "arithmetic"), (LOGIC, "logic")):
            if text in table:
                self.binary(f, j, bound, name, table[text])
        if text in EQUALITY:
            left, right = self.source.operands(j, bound)
            self.negate(f, left, right)

    def binary(self, f, j, bound, name, becomes):
        left, right = self.source.operands(j, bound)
        if left == j or right == j or self.waits(left, right):
            return
        begin, end = self.source.span(left, right)
        t = self.tokens[j]
        changed = self.source.text[begin:t.begin] + becomes + self.source.text[t.end:end]
        self.add(f, name, left, right, changed)

    def constant(self, f, j, **more):
        found = INTEGER.match(self.tokens[j].text)
        if not found:
            return
        text = self.tokens[j].text
        value = int(found[1].replace("'", ""), 0) if not found[1].startswith("0") or \
            len(found[1]) == 1 or found[1][1] in "xXbB" else int(found[1].replace("'", ""), 8)
        for change, name in ((1, "plus"), (-1, "minus")):
            if value + change >= 0 and not self.is_bound(j, change):
                self.add(f, name, j, j, f"{text} {'+' if change > 0 else '-'} 1", **more)

    def is_bound(self, j, change):
        """x < 20 + 1 is x <= 20, which is there already."""
        grows = self.tokens[j - 1].text in ("<", ">=")
        falls = self.tokens[j - 1].text in ("<=", ">")
        return self.source.is_binary(j - 1) and (grows if change > 0 else falls)

    def step(self, f, j):
        """++x in a larger expression; as a statement it is dropped."""
        before, after = self.tokens[j - 1], self.tokens[j + 1]
        if after.kind != "word" and after.text not in ("(", "*"):
            return  # x++ gives the old value
        last = self.source.rightmost(j, 99, len(self.tokens) - 1)
        if before.text in ("{", "}", ";", "do", "else") or self.tokens[last + 1].text == ";" and before.text == ")":
            return
        self.add(f, "step", j, last, self.source.words(j + 1, last))

    def call(self, f, j):
        first = self.source.callee(j)
        if first is None or self.tokens[j].match < 0:
            return
        last = self.tokens[j].match
        awaited = self.tokens[first - 1].text == "co_await" or self.waits(first, last)
        given = self.source.arguments(j)
        text = self.source.text
        begin, end = self.source.span(first, last)
        for (a, b), (c, d) in zip(given, given[1:]):
            (ab, ae), (cb, ce) = self.source.span(a, b), self.source.span(c, d)
            one, two = text[ab:ae], text[cb:ce]
            if awaited or one == two or "{" in one + two or "memory_order" in one + two:
                continue
            self.add(f, f"swap{given.index((a, b))}", first, last,
                     text[begin:ab] + two + text[ae:cb] + one + text[ce:end])
        if self.tokens[j - 1].text in ATOMIC and self.tokens[j - 2].text == "." and not any(
                "memory_order" in t.text for t in self.tokens[j:last]):
            weak = (", " if given else "") + "std::memory_order_relaxed)"
            self.add(f, "order", first, last, text[begin:end - 1] + weak)
        for a, b in given:
            words = self.source.words(a, b)
            if words.startswith("std::memory_order_") and words != "std::memory_order_relaxed":
                ab, ae = self.source.span(a, b)
                self.add(f, f"order{given.index((a, b))}", first, last,
                         text[begin:ab] + "std::memory_order_relaxed" + text[ae:end])

    # --- constants that have a name ---

    def constants_declared(self):
        """constexpr T name = 64; it becomes const, so that it can depend on the mutant."""
        for i, t in enumerate(self.tokens):
            if t.text != "constexpr" or self.tokens[i - 1].text == "if" or \
                    self.tokens[i - 1].text in ("inline", "("):
                continue
            last = i
            while self.tokens[last].text not in (";", "{", "(") and last - i < 20:
                last = self.tokens[last].match + 1 if self.tokens[last].match > last else last + 1
            texts = [u.text for u in self.tokens[i:last]]
            if self.tokens[last].text != ";" or "=" not in texts:
                continue
            inside = self.function_of(i)
            in_class = self.tokens[i - 1].text == "static"
            also = [(t.begin, t.end, "inline const" if in_class and not inside else "const")]
            for j in range(i + texts.index("="), last):
                if self.tokens[j].kind == "number":
                    self.constant(None, j, also=also)


def render(text, mutants):
    """The text with the choices of all of these mutants in it."""
    edits = {also for m in mutants for also in map(tuple, m.also)}
    order = sorted(mutants, key=lambda m: (m.begin, -m.end, m.form != "before"))
    return piece(text, 0, len(text), order, sorted(edits))


def piece(text, begin, end, order, edits):
    out, at, i = [], begin, 0
    while i < len(order):
        m = order[i]
        out.append(plain(text, at, m.begin, edits))
        same = [n for n in order if (n.begin, n.end) == (m.begin, m.end)]
        inner = [n for n in order if m.begin <= n.begin and n.end <= m.end and n not in same]
        # What crosses the edge of another one cannot be together with it.
        crossing = [n for n in order if n not in same and n not in inner
                    and m.begin < n.begin < m.end < n.end]
        made = piece(text, m.begin, m.end, inner, edits)
        for n in same:
            made = n.wrap(made)
        out.append(made)
        at = m.end
        order = [n for n in order if n not in same and n not in inner and n not in crossing]
    out.append(plain(text, at, end, edits))
    return "".join(out)


def plain(text, begin, end, edits):
    for first, last, new in edits:
        if begin <= first and last <= end:
            return text[begin:first] + new + plain(text, last, end, edits)
    return text[begin:end]
