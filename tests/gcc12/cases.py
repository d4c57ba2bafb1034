#!/usr/bin/env python3
"""tools/gcc12_check.py finds what GCC 12 miscompiles, and nothing beside it.

Each of HANGS was compiled with GCC 12.2 at -O0 and -O2 and does not end; each of GOOD does.
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import gcc12_check  # noqa: E402

HANGS = [
    "task<int> f() { if (!co_await nap()) co_return 1; co_return 0; }",
    "task<int> f() { if (co_await nap()) co_return 0; co_return 1; }",
    "task<int> f() { if (!co_await nap()) { co_return 1; } co_return 0; }",
    "task<int> f(int x = 0) { if (!co_await nap()) co_return 1; co_return x; }",
    "task<int> f() { co_await nap(); if (!co_await nap()) co_return 1; co_return 0; }",
    "task<int> f() { if (!co_await nap()) co_return 1; co_await nap(); co_return 0; }",
    "task<int> f() { if (!co_await kept) co_return 1; co_return 0; }",
    "task<int> f() { if (!co_await nap()) co_return 1; else co_return 0; }",
    "task<int> f() { while (!co_await nap()) ++k; co_return 0; }",
    "task<int> f() { if (!(co_await nap()).has_value()) co_return 1; co_return 0; }",
    "task<int> f() { switch ((co_await nap()).has_value()) { case true: co_return 0; default: co_return 1; } }",
    "task<int> f() { { if (!co_await nap()) co_return 1; } co_return 0; }",
    "task<int> f(bool b) { if (b) co_return 2; else if (!co_await nap()) co_return 1; co_return 0; }",
    "task<int> f(bool b) { if (b && !co_await nap()) co_return 1; co_return 0; }",
    "auto f = [&]() -> task<int> { if (!co_await nap()) co_return 1; co_return 0; };",
    "auto f = [&] { int n = 0; return [&]() -> task<int> {\n if (!co_await nap()) co_return n;\n co_return 0; }(); };",
]
FREES_TWICE = [
    'task<int> f(bool b, std::string s) { co_return co_await g(b ? "a text" : "y" + s); }',
    "task<int> f(bool b) { const int n = co_await g(b ? std::string(one) : std::string(two)); co_return n; }",
]
GOOD = [
    "task<int> f() { int x = 0; if (!co_await nap()) co_return 1; co_return x; }",
    "task<int> f() { if (auto r = co_await nap(); !r) co_return 1; co_return 0; }",
    "task<int> f() { if (const auto r = co_await nap()) co_return 0; co_return 1; }",
    "task<int> f() { for (int i = 0; i < 2; ++i) if (!co_await nap()) co_return 1; co_return 0; }",
    "task<int> f() { if (!co_await nap()) co_return 1; int y = 0; co_return y; }",
    "task<int> f() { co_return co_await nap() ? 0 : 1; }",
    "task<int> f() { std::array<std::byte, 4> b; if (!co_await s.recv(b)) co_return 1; co_return 0; }",
    "task<int> f() { auto [a, b] = pair(); if (!co_await nap()) co_return a; co_return b; }",
    "task<int> f() { /* if (!co_await nap()) */ co_await nap(); co_return 0; }",
    "task<int> f() { co_await say(\"if (!co_await nap())\"); co_return 0; }",
    "task<int> f(bool b) { co_return co_await g(b ? one : two); }",
    "task<int> f() {\n  if (!co_await nap()) co_return 1;  // gcc12: ok, never called\n  co_return 0;\n}",
    "int f() { if (g(1)) return 1; return 0; }",
]


def main():
    status = 0
    for wrong, cases in ((True, HANGS + FREES_TWICE), (False, GOOD)):
        for case in cases:
            found = list(gcc12_check.check("case", case))
            if bool(found) != wrong:
                print(f"{'not found' if wrong else found}: {case}")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
