"""What is mutated, and what is not; what a build with mutants in it looks like."""
import cpp
import operators
import planting

HEAD = "int f(int a, int b) {\n"

# (code in a function, what becomes of it: `operator: change`)
CASES = [
    ("if (a < b) g();", ["bound: a < b -> a <= b", "negate: a < b -> !(a < b)", "drop: g(); -> "]),
    ("while (a >= b) --a;", ["bound: a >= b -> a > b", "negate: a >= b -> !(a >= b)",
                             "drop: --a; -> "]),
    ("for (int i = 0; i < a; ++i) g(i);",
     ["bound: i < a -> i <= a", "negate: i < a -> !(i < a)", "drop: g(i); -> "]),
    ("for (int i : all) g(i);", ["drop: g(i); -> "]),
    ("for (;;) g();", ["drop: g(); -> "]),
    ("if (const int n = g(); n > a) h();",
     ["bound: n > a -> n >= a", "negate: n > a -> !(n > a)", "drop: h(); -> "]),
    ("if (auto* p = g()) h();", ["drop: h(); -> "]),
    ("if (a && b) g();", ["logic: a && b -> a || b", "negate: a -> !(a)", "negate: b -> !(b)",
                          "negate: a && b -> !(a && b)", "drop: g(); -> "]),
    ("x = a == b;", ["negate: a == b -> !(a == b)", "drop: x = a == b; -> "]),
    ("x = a ? b : 3;", ["negate: a -> !(a)", "minus: 3 -> 3 - 1", "plus: 3 -> 3 + 1",
                        "drop: x = a ? b : 3; -> "]),
    ("x = a - b - 1;", ["arithmetic: a - b -> a + b", "arithmetic: a - b - 1 -> a - b + 1",
                        "minus: 1 -> 1 - 1", "plus: 1 -> 1 + 1", "drop: x = a - b - 1; -> "]),
    ("x = a * (b + y);", ["arithmetic: b + y -> b - y", "drop: x = a * (b + y); -> "]),
    ("x += y;", ["arithmetic: x += y -> x -= y", "drop: x += y; -> "]),
    ("if (a < 20) g();", ["bound: a < 20 -> a <= 20", "negate: a < 20 -> !(a < 20)",
                          "minus: 20 -> 20 - 1", "drop: g(); -> "]),
    ("g(a, b);", ["swap: g(a, b) -> g(b, a)", "drop: g(a, b); -> "]),
    ("std::vector<int> v(a, b);", []),
    ("const auto n = std::min<long>(a, 0x10);",
     ["swap: std::min<long>(a, 0x10) -> std::min<long>(0x10, a)", "minus: 0x10 -> 0x10 - 1",
      "plus: 0x10 -> 0x10 + 1"]),
    ("x.store(a, std::memory_order_release);",
     ["order: x.store(a, std::memory_order_release) -> x.store(a, std::memory_order_relaxed)",
      "drop: x.store(a, std::memory_order_release); -> "]),
    ("x.store(a);", ["order: x.store(a) -> x.store(a, std::memory_order_relaxed)",
                     "drop: x.store(a); -> "]),
    ("x.load(std::memory_order_relaxed);",
     ["drop: x.load(std::memory_order_relaxed); -> "]),
    ("co_await g(a < b);", ["bound: a < b -> a <= b", "drop: co_await g(a < b); -> "]),
    ("const bool good = co_await g() && a;", ["negate: a -> !(a)"]),
    ("IOLITE_ASSERT(a < b, \"1 < 2\");", []),
    ("static_assert(sizeof(int) == 4);", []),
    ("switch (a) { case 1: g(); break; default: h(); }",
     ["drop: g(); -> ", "drop: break; -> ", "drop: h(); -> "]),
    ("g([&](int c) { return c < a; });",
     ["drop: g([&](int c) { return c < a; }); -> ", "bound: c < a -> c <= a",
      "return: return c < a; -> return std::remove_cvref_t<decltype(c < a)>{};"]),
    ("g(\"a < b\"); // c < d", ["drop: g(\"a < b\"); -> "]),
    ("vector<optional<int>> v;", []),
    ("if (a < b) return true;", ["bound: a < b -> a <= b", "negate: a < b -> !(a < b)",
                                 "flip: true -> false"]),
    ("return a;", ["return: return a; -> return std::remove_cvref_t<decltype(a)>{};"]),
    ("do ++a; while (a < b);", ["drop: ++a; -> ", "bound: a < b -> a <= b",
                                "negate: a < b -> !(a < b)"]),
    ("g(++a);", ["step: ++a -> a", "drop: g(++a); -> "]),
    ("if (a) g(); else h();", ["negate: a -> !(a)", "drop: g(); -> ", "drop: h(); -> "]),
    ("try { g(); } catch (const E&) { h(); }", ["drop: g(); -> ", "drop: h(); -> "]),
]

# (a whole source, `operator: change` of those before statements and of constants)
WHOLE = [
    ("void f() {\n  g();\n  h();\n}\n", ["early:  -> return;", "early:  -> return;"]),
    ("int f() {\n  g();\n  return 1;\n}\n", ["early:  -> return {};"]),
    ("task<> f() {\n  g();\n  co_await h();\n}\n", ["early:  -> co_return;",
                                                   "early:  -> co_return;"]),
    ("void f() { g(); }\n", []),
    ("constexpr int limit = 64;\n", ["minus: 64 -> 64 - 1", "plus: 64 -> 64 + 1"]),
    ("struct s {\n  static constexpr int most = 2;\n};\n", ["minus: 2 -> 2 - 1",
                                                          "plus: 2 -> 2 + 1"]),
    ("class a {\n public:\n  explicit a(int b) : b_{b} { g(); h(); }\n};\n",
     ["early:  -> return;", "early:  -> return;"]),
]

# (a whole source, a part of it with all of its mutants in it)
RENDERED = [
    ("void f() { if (a) g(); else h(); }", "else { if (!iolite_mutant(3)) { h(); } }"),
    ("void f() { x = a < b; }",
     "x = (iolite_mutant(2) ? a <= b : a < b);"),
    ("constexpr int f(int a) { return a - b; }",
     "(iolite_mutant_now(2) ? a + b : a - b)"),
    ("constexpr int limit = 64;", "const int limit = (iolite_mutant(2) ? 64 + 1 : "
                                  "(iolite_mutant(1) ? 64 - 1 : 64));"),
    ("struct s { static constexpr int most = 2; };", "static inline const int most = "),
    ("int f() { return a < b; }", "{ if (iolite_mutant(1)) { return std::remove_cvref_t<decltype("
                                  "a < b)>{}; } return (iolite_mutant(2) ? a <= b : a < b); }"),
]


def found(text):
    return operators.Mutator("x.cpp", cpp.Source(text)).mutants()


def told(mutants, but=()):
    return sorted(f"{m.operator.rstrip('0123456789.')}: {m.says}" for m in mutants
                  if m.operator not in but)


def names():
    """The same mutant has the same name, and a seed draws the same ones."""
    text = HEAD + "  if (a < b) g();\n}\n"
    first, again = found(text), found(text)
    wrong = []
    if [m.name for m in first] != [m.name for m in again]:
        wrong.append("names differ")
    if first[0].name != "x.cpp:2:7:bound":
        wrong.append(f"a name is {first[0].name}")
    drawn = [[m.name for m in planting.sample(found(text), 2, 7)] for _ in range(2)]
    if drawn[0] != drawn[1] or len(drawn[0]) != 2:
        wrong.append("a seed does not draw the same")
    return wrong


def blamed():
    """An error inside of what only a mutant does is that mutant's."""
    marked = operators.render("void f() { x = a < b; }", numbered(found("void f() { x = a < b; }")))
    text = planting.plain(marked)
    wrong = []
    for begin, end, number in planting.places(marked):
        if number == 2 and text[begin:end] != "a <= b":
            wrong.append(f"mutant 2 is said to be at {text[begin:end]!r}")
    if len(planting.places(marked)) != 1:
        wrong.append("a mutant has no place")
    return wrong


def numbered(mutants):
    for number, m in enumerate(mutants, 1):
        m.number = number
    return mutants


def main():
    wrong = names() + blamed()
    for code, expected in CASES:
        got = told(found(HEAD + code + "\n}\n"), but=("early",))
        if got != sorted(expected):
            wrong.append(f"{code}\n    is   {got}\n    not  {sorted(expected)}")
    for text, expected in WHOLE:
        got = [t for t in told(found(text)) if t.split(":")[0] in ("early", "minus", "plus")]
        got = [t for t in got if "return 1" not in t and not (t.startswith(("minus", "plus"))
                                                              and "limit" not in text
                                                              and "most" not in text)]
        if got != sorted(expected):
            wrong.append(f"{text}\n    is   {got}\n    not  {sorted(expected)}")
    for text, expected in RENDERED:
        got = planting.plain(operators.render(text, numbered(found(text))))
        if expected not in got:
            wrong.append(f"{text}\n    becomes  {got}\n    without  {expected}")
    print("\n".join(wrong + [f"{len(CASES) + len(WHOLE) + len(RENDERED) + 2} cases, "
                             f"{len(wrong)} wrong"]))
    return 1 if wrong else 0
