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

ROOT = pathlib.Path(__file__).resolve().parents[2]
WIDTH_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400
PUBLIC_HEADER_LINES_MAX = 200

# What a folder of src/ may include from src/, besides itself. Arrows point down only.
MAY_INCLUDE = {
    "kernel": set(),
    "pollers": {"kernel"},
    "core": {"kernel", "pollers"},
    "engines": {"kernel", "pollers", "core"},
    "net": {"kernel", "pollers", "core", "engines"},
    "serve": {"kernel", "pollers", "core", "engines", "net"},
    "simulate": {"kernel", "pollers", "core", "engines", "net", "serve"},
    "codec": set(),  # bytes in, events out
}
EVENT_HEADERS = {"sys/epoll.h", "poll.h", "sys/poll.h", "sys/select.h", "sys/event.h", "aio.h",
                 "linux/io_uring.h", "liburing.h", "sys/socket.h"}
EPOLL = "epoll_(?:create1?|ctl|p?wait2?)"
SYSTEM_CALLS = (
    "socket|socketpair|bind|listen|accept4?|connect|shutdown|getsockname|getpeername|[gs]etsockopt|"
    "recv|recvfrom|recvm?msg|send|sendto|sendm?msg|sendfile|splice|open|openat|creat|close|p?readv?|"
    "p?writev?|fsync|fdatasync|ftruncate|fcntl|ioctl|dup[23]?|pipe2?|unlink|lstat|flock|rename|mkdir|rmdir|"
    "p?select|p?poll|" + EPOLL + "|kqueue|kevent|eventfd|timerfd_\\w+|signalfd|inotify_\\w+|"
    "fork|vfork|wait|waitpid|waitid|kill|pidfd_open|mmap|munmap|mprotect|madvise|"
    "sigaction|sigprocmask|pthread_sigmask|sigtimedwait|nanosleep|clock_gettime|getrandom|"
    "aio_\\w+|[gs]etrlimit|sched_\\w+|syscall")

RULES = {}


def rule(name, what):
    """Registers a check of one file: it yields (line, what is wrong, what to do)."""
    def register(check):
        RULES[name] = (what, check)
        return check
    return register


class File:
    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        parts = path.split("/")
        self.name = parts[-1]
        self.stem = self.name.rsplit(".", 1)[0]
        self.in_src = parts[0] == "src"
        self.folder = parts[1] if self.in_src and len(parts) > 2 else ""
        self.is_cpp = path.endswith((".cpp", ".hpp", ".h", ".c"))
        self.is_public = path.startswith("include/")
        self.is_sized = self.folder in ("pollers", "engines") and path.endswith(".cpp")
        # What backends share has no make_ function of its own.
        self.is_backend = self.is_sized and bool(re.search(r"^\w.*\bmake_\w+\(", text, re.M))
        self.code_ = None

    @property
    def code(self):
        """The lines with comments blanked, and strings too."""
        if self.code_ is None:
            self.code_ = blank(self.text).splitlines() if self.is_cpp else self.lines
        return self.code_

    def includes(self):
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if match:
                yield number, match[2], match[1] == "<"

    def find(self, pattern):
        for number, line in enumerate(self.code, 1):
            for match in re.finditer(pattern, line):
                yield number, match[0].strip()


def blank(text):
    """Comments and the insides of literals become spaces; lines stay where they are."""
    pattern = re.compile(
        r'//(?:\\\n|[^\n])*|/\*.*?\*/'
        r'|(?P<raw>R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")'
        r'|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.S)

    def spaces(match):
        found = match[0]
        if re.match(r'[^\n]*#\s*include', found):
            return found
        inside = re.sub(r"[^\n]", " ", found)
        return inside if found.startswith("/") else '"' + inside[1:-1] + '"'
    return pattern.sub(spaces, text)


# --- form ---

@rule("width", f"lines of C++, CMake and shell have at most {WIDTH_MAX} columns")
def width(file, _):
    if not (file.is_cpp or is_script(file)):
        return
    for number, line in enumerate(file.lines, 1):
        if len(line) > WIDTH_MAX:
            yield number, f"{len(line)} columns", f"break it at {WIDTH_MAX}"


def is_script(file):
    return (file.name == "CMakeLists.txt" or file.path.endswith((".cmake", ".sh"))
            or file.text.startswith(("#!/bin/sh", "#!/bin/bash")))


@rule("function-length", f"functions have at most {FUNCTION_LINES_MAX} lines")
def function_length(file, _):
    if not file.is_cpp:
        return
    for number, count in functions(file.code):
        if count > FUNCTION_LINES_MAX:
            yield number, f"a function of {count} lines", "move what can be named out of it"


CONTAINER = re.compile(
    r'^(?:\s|template\s*<[^{}]*>|inline|export|typedef|static|constexpr|\[\[[^\]]*\]\])*'
    r'(?:namespace|class|struct|union|enum|extern\s*"[^"]*")\b(?![^()]*\w\s*\()')


def functions(code):
    """(line, lines) of each outermost brace that follows a parameter list."""
    open_braces = []  # (is it a container, line, may be a function)
    head = ""
    for number, line in enumerate(code, 1):
        if line.lstrip().startswith("#"):
            continue
        for char in line + "\n":
            if char == "{":
                within_function = any(not container for container, _, _ in open_braces)
                container = not within_function and bool(CONTAINER.match(head))
                open_braces.append((container, number, not within_function and "(" in head))
                if container:
                    head = ""
            elif char == "}" and open_braces:
                container, begin, function = open_braces.pop()
                if function:
                    yield begin, number - begin + 1
                if all(is_container for is_container, _, _ in open_braces):
                    # The brace of an initializer `x_{1}` before a constructor's body ends no head.
                    in_list = re.search(r"\)[^;{}]*:[^:]", head) and begin == number
                    head = head if in_list else ""
            elif char == ";":
                head = ""
            elif all(is_container for is_container, _, _ in open_braces):
                head += char


@rule("file-length", "files have a size that a reader can hold")
def file_length(file, _):
    if not file.path.endswith((".cpp", ".hpp")):
        return
    most = FILE_LINES_MAX
    if file.is_public:
        most = PUBLIC_HEADER_LINES_MAX
    elif file.is_sized and file.folder == "pollers":
        most = 100
    elif file.is_sized:
        most = 300
    if len(file.lines) > most:
        remedy = ("something in it belongs in what all backends share" if file.is_sized
                  else "find the two ideas in it, and give each a file")
        yield len(file.lines), f"{len(file.lines)} lines, at most {most}", remedy


@rule("todo", "a TODO says why it is not done: TODO(reason)")
def todo(file, _):
    if not (file.is_cpp or is_script(file)):
        return
    for number, line in enumerate(file.lines, 1):
        if re.search(r"\b(?:TODO|FIXME)\b(?!\s*\([^)]+\))", line):
            yield number, "no reason", "do it, or write TODO(what it waits for)"


# --- direction ---

def folders_behind(path, tree, seen=None):
    """The folders that a header of src/ brings: its own, or those of what it includes."""
    parts = path.split("/")
    if len(parts) > 1:
        return {parts[0]}
    seen = seen or set()
    file = tree.get("src/" + path)
    if file is None or path in seen:
        return set()
    seen.add(path)
    found = set()
    for _, name, system in file.includes():
        if not system and not name.startswith("iolite/"):
            found |= folders_behind(name, tree, seen)
    return found


@rule("direction", "includes point down: kernel, pollers, core, engines, net, serve; codec alone")
def direction(file, tree):
    allowed = MAY_INCLUDE.get(file.folder)
    if allowed is None:
        return
    for number, name, system in file.includes():
        if system or name.startswith("iolite/"):
            continue
        for folder in sorted(folders_behind(name.removeprefix("src/"), tree)):
            if folder != file.folder and folder not in allowed:
                yield (number, f"{file.folder}/ includes {name}, which is above it",
                       "move what both need down, or pass it in")


@rule("backend", "a backend has no header, and includes no other backend")
def backend(file, tree):
    if file.folder not in ("pollers", "engines"):
        return
    source = tree.get(file.path[:-3] + "cpp")
    if file.path.endswith(".hpp") and source and source.is_backend:
        yield 1, "a header of one backend", "its make_ function is declared in src/models.cpp"
    if file.is_backend:
        for number, name, _ in file.includes():
            other = "src/" + name.removeprefix("src/").rsplit(".", 1)[0] + ".cpp"
            if other != file.path and other in tree and tree[other].is_backend:
                yield number, f"includes the backend {name}", "move what both need to src/core/"


@rule("public", "a public header says what it is for, and pulls in neither src/ nor event headers")
def public(file, _):
    if not file.is_public:
        return
    if not re.match(r"\s*(//|/\*)", file.text):
        yield 1, "does not begin with a comment", "say what it is for, in a user's words"
    if file.path.endswith(".hpp") and "#pragma once" not in file.lines:
        yield 1, "no #pragma once", "add it after the comment"
    for number, name, system in file.includes():
        if name in EVENT_HEADERS:
            yield number, f"includes <{name}>", "include it in src/, and declare what you need"
        elif not system and not name.startswith("iolite/"):
            yield number, f"includes {name} of src/", "declare what you need, or make it public"


@rule("dead-file", "each header of src/ is included")
def dead_file(file, tree):
    if not file.in_src or not file.path.endswith(".hpp"):
        return
    for other in tree.values():
        if other.path != file.path and other.is_cpp:
            folder = other.path.rsplit("/", 1)[0]
            for _, name, _ in other.includes():
                if file.path in ("src/" + name, name, f"{folder}/{name}"):
                    return
    yield 1, "nobody includes it", "remove it"


# --- banned calls ---

@rule("system-call", "system calls are made in src/kernel/ only")
def system_call(file, _):
    if not file.in_src or not file.is_cpp or file.folder == "kernel":
        return
    # Those of epoll(7) are told by their names; of others the :: tells that no member is meant.
    pattern = rf"(?<![\w>:])::(?:{SYSTEM_CALLS})\s*\(|(?<![\w.>:~])(?:syscall|{EPOLL})\s*\("
    for number, found in file.find(pattern):
        yield (number, f"{found}...)",
               "call it through the kernel, so that tests can fail it and a simulation answer it")


@rule("std-function", "no std::function where operations pass: src/core, src/engines, src/pollers")
def std_function(file, _):
    if file.folder not in ("core", "engines", "pollers"):
        return
    for number, _found in file.find(r"std::(?:move_only_)?function\b"):
        yield (number, "std::function allocates",
               "take a template parameter, or a function pointer and its argument")


CAPTURES = re.compile(
    r"\[[^\]\[][^\[\]]*\]\s*(?:\((?:[^()]|\([^()]*\))*\))?"
    r"(?:\s|mutable\b|noexcept\b)*->\s*(?:iolite::)?task<")


def braced(code, begin):
    """From the first brace after `begin` to what follows its partner: (inside, after)."""
    depth = 0
    start = code.find("{", begin)
    for at in range(max(start, begin), len(code)):
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        if depth == 0:
            return code[start:at], code[at + 1:at + 40]
    return code[begin:], ""


@rule("captures", "a coroutine that is a lambda with captures is kept by in_scope() or spawn()")
def captures(file, _):
    if not file.is_cpp:
        return
    code = "\n".join(file.code)
    for found in CAPTURES.finditer(code):
        body, after = braced(code, found.end())
        if not re.search(r"\bco_(?:await|return|yield)\b", body):
            continue
        kept = re.search(r"\b(?:in_scope|spawn)\s*\(\s*$", code[:found.start()])
        if not kept or after.lstrip().startswith("("):
            yield (code.count("\n", 0, found.start()) + 1, "its captures may end before it",
                   "give the lambda itself to in_scope() or spawn(), or pass parameters")


@rule("sleep", "tests do not sleep for a length of time")
def sleep(file, _):
    if not file.path.startswith("tests/") or not file.is_cpp:
        return
    pattern = r"this_thread::sleep_\w+|\bsleep_for\s*\(|\busleep\s*\(|(?<!\w)::(?:nano)?sleep\s*\("
    for number, found in file.find(pattern):
        yield number, found, "wait for what you wait for: an event, a latch, a descriptor"


@rule("output", "the library prints nothing")
def output(file, _):
    if not file.in_src or not file.is_cpp:
        return
    for number, found in file.find(r"\bv?[fd]?printf\s*\(|\bf?puts\s*\(|std::c(?:out|err|log)\b"):
        yield number, found, "return an error, or give it to the observer"


# --- the tree ---

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


# --- self-test: (rule, findings, path, text); a dictionary has more than one file ---

LONG = "\n".join(["  f();"] * 75)
HEADER = "// What it is for.\n#pragma once\n"
MAKE = "made_poller make_one(kernel& os) {}\n"
CASES = [
    ("width", 1, "src/core/a.cpp", "// " + "x" * 98),
    ("width", 0, "src/core/a.cpp", "// " + "x" * 97),
    ("width", 1, "tests/CMakeLists.txt", "# " + "x" * 99),
    ("width", 1, "dev", "#!/bin/sh\n# " + "x" * 99),
    ("width", 0, "docs/a.md", "x" * 200),
    ("width", 0, "src/core/a.cpp", "f(" + "x" * 99 + ");  // tidy: allow width, a case"),
    ("width", 1, "src/core/a.cpp", "f(" + "x" * 99 + ");  // tidy: allow width"),
    ("function-length", 1, "src/core/a.cpp", "void f() {\n" + LONG + "\n}\n"),
    ("function-length", 0, "src/core/a.cpp", "void f() {\n f();\n}\n"),
    ("function-length", 1, "src/core/a.cpp",
     "namespace a {\nclass b final : public c<d> {\n void f() const noexcept override {\n"
     + LONG + "\n }\n};\n}\n"),
    ("function-length", 1, "src/core/a.cpp", "a::a(int b) : c_{b}, d_{1} {\n" + LONG + "\n}\n"),
    ("function-length", 1, "src/core/a.cpp", "auto f() -> struct a {\n" + LONG + "\n}\n"),
    ("function-length", 1, "tests/a.cpp", 'TEST(a, b) {\n  f("}", \'}\', 1\'0);  // }\n' + LONG + "\n}"),
    ("function-length", 0, "src/core/a.cpp",
     "struct a {\n" + "\n".join(["  int f() { return 1; }"] * 99) + "\n};\n"),
    ("function-length", 0, "src/core/a.cpp", "int a[] = {\n" + "\n".join(["  1,"] * 99) + "\n};\n"),
    ("file-length", 1, "src/core/a.cpp", "\n" * 401),
    ("file-length", 0, "src/core/a.cpp", "\n" * 400),
    ("file-length", 1, "src/pollers/a.cpp", "\n" * 101),
    ("file-length", 1, "src/engines/a.cpp", "\n" * 301),
    ("file-length", 0, "src/engines/a.cpp", "\n" * 300),
    ("file-length", 1, "include/iolite/a.hpp", HEADER + "\n" * 200),
    ("todo", 1, "src/core/a.cpp", "// TODO: later"),
    ("todo", 1, "src/core/a.cpp", "// FIXME"),
    ("todo", 0, "src/core/a.cpp", "// TODO(Linux 7.0): use it"),
    ("direction", 1, "src/kernel/a.cpp", '#include "core/a.hpp"'),
    ("direction", 1, "src/pollers/a.cpp", '#include "core/a.hpp"'),
    ("direction", 1, "src/core/a.cpp", '#include "engines/a.hpp"'),
    ("direction", 1, "src/net/a.cpp", '#include "serve/a.hpp"'),
    ("direction", 1, "src/codec/a.cpp", '#include "kernel/kernel.hpp"'),
    ("direction", 0, "src/engines/a.cpp", '#include "core/a.hpp"\n#include "pollers/poller.hpp"'),
    ("direction", 0, "src/pollers/a.cpp", '#include "kernel/kernel.hpp"\n#include "iolite/a.hpp"'),
    ("direction", 0, "src/models.cpp", '#include "engines/a.hpp"'),
    ("direction", 1, "src/core/a.cpp",
     {"src/core/a.cpp": '#include "b.hpp"', "src/b.hpp": '#include "serve/c.hpp"'}),
    ("direction", 0, "src/serve/a.cpp",
     {"src/serve/a.cpp": '#include "b.hpp"', "src/b.hpp": '#include "pollers/poller.hpp"'}),
    ("backend", 1, "src/pollers/a.hpp", {"src/pollers/a.hpp": "", "src/pollers/a.cpp": MAKE}),
    ("backend", 0, "src/pollers/a.hpp", {"src/pollers/a.hpp": "", "src/pollers/a.cpp": "int f();"}),
    ("backend", 1, "src/engines/a.cpp",
     {"src/engines/a.cpp": '#include "engines/b.hpp"\n' + MAKE, "src/engines/b.cpp": MAKE}),
    ("backend", 0, "src/pollers/a.cpp",
     {"src/pollers/a.cpp": '#include "pollers/b.hpp"\n' + MAKE, "src/pollers/b.cpp": "int f();"}),
    ("public", 1, "include/iolite/a.hpp", "#pragma once\n// Late.\n"),
    ("public", 1, "include/iolite/a.hpp", "// No guard.\n"),
    ("public", 1, "include/iolite/a.hpp", HEADER + "#include <sys/epoll.h>\n"),
    ("public", 1, "include/iolite/a.hpp", HEADER + '#include "kernel/kernel.hpp"\n'),
    ("public", 0, "include/iolite/a.hpp", HEADER + '#include "iolite/b.hpp"\n#include <span>\n'),
    ("public", 0, "include/iolite/a.h", "/* For C. */\n#ifndef A\n#define A\n#endif\n"),
    ("dead-file", 1, "src/core/a.hpp", HEADER),
    ("dead-file", 0, "src/core/a.hpp",
     {"src/core/a.hpp": HEADER, "tests/a.cpp": '#include "core/a.hpp"'}),
    ("system-call", 1, "src/net/a.cpp", "int r = ::recv(fd, p, n, 0);"),
    ("system-call", 1, "src/engines/a.cpp", "return ::epoll_wait(ep, e, 1, 0);"),
    ("system-call", 1, "src/engines/a.cpp", "return epoll_wait(ep, e, 1, 0);"),
    ("system-call", 1, "src/core/a.cpp", "x = syscall(SYS_gettid);"),
    ("system-call", 1, "src/core/a.cpp", "::write(2, p, n);  // tidy: allow output, it is not that"),
    ("system-call", 0, "src/core/a.cpp", "::write(2, p, n);  // tidy: allow system-call, last words"),
    ("system-call", 0, "src/kernel/linux.cpp", "return ::recv(fd, p, n, 0);"),
    ("system-call", 0, "src/net/a.cpp", "os.epoll_wait(); stream::recv(p); // ::recv(fd)"),
    ("system-call", 0, "src/pollers/a.cpp", "explicit epoll_poller(kernel& os);"),
    ("system-call", 0, "src/net/a.cpp", 'say("::recv(fd)");'),
    ("std-function", 1, "src/core/a.cpp", "std::function<void()> f;"),
    ("std-function", 0, "src/serve/a.cpp", "std::function<void()> f;"),
    ("captures", 1, "apps/a.cpp", "auto f = [&]() -> task<> { co_return; };"),
    ("captures", 1, "apps/a.cpp", "s.spawn([n] -> iolite::task<> { if (n) { co_await f(); } }());"),
    ("captures", 1, "tests/a.cpp", "with([&, n](scope& s) mutable -> task<int> {\n co_return n; });"),
    ("captures", 0, "apps/a.cpp", "co_await in_scope([&](scope& s) -> task<> {\n co_return; });"),
    ("captures", 0, "apps/a.cpp", "s.spawn(\n    [n = f(1)]() -> task<> { co_return; });"),
    ("captures", 0, "apps/a.cpp", "auto f = [&](scope& s) -> task<> { return talk(s, n); };"),
    ("captures", 0, "apps/a.cpp", "auto f = [](scope& s) -> task<> { co_return; }; a[i] = p->task;"),
    ("sleep", 1, "tests/a.cpp", "std::this_thread::sleep_for(1s);"),
    ("sleep", 1, "tests/a.cpp", "usleep(1);"),
    ("sleep", 0, "tests/a.cpp", "co_await iolite::sleep(1s); os.nanosleep(t);"),
    ("output", 1, "src/core/a.cpp", 'printf("a");'),
    ("output", 1, "src/core/a.cpp", "std::cout << 1;"),
    ("output", 0, "src/core/a.cpp", "std::snprintf(p, n, f);"),
]


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
