"""Rules about what is not called, or not written, where."""
import re

from source import rule

EPOLL = "epoll_(?:create1?|ctl|p?wait2?)"
SYSTEM_CALLS = (
    "socket|socketpair|bind|listen|accept4?|connect|shutdown|getsockname|getpeername|[gs]etsockopt|"
    "recv|recvfrom|recvm?msg|send|sendto|sendm?msg|sendfile|splice|open|openat|creat|close|p?readv?|"
    "p?writev?|fsync|fdatasync|ftruncate|fcntl|ioctl|dup[23]?|pipe2?|unlink|lstat|flock|rename|mkdir|rmdir|"
    "p?select|p?poll|" + EPOLL + "|kqueue|kevent|eventfd|timerfd_\\w+|signalfd|inotify_\\w+|"
    "fork|vfork|wait|waitpid|waitid|kill|pidfd_open|mmap|munmap|mprotect|madvise|"
    "sigaction|sigprocmask|pthread_sigmask|sigtimedwait|nanosleep|clock_gettime|getrandom|"
    "aio_\\w+|[gs]etrlimit|sched_\\w+|syscall")


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
    if file.folder not in ("base", "core", "engines", "pollers"):
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
        kept = re.search(r"\b(?:in_scope|spawn)\s*\(\s*(?:(?:iolite::)?on_failure::\w+,\s*)?$",
                         code[:found.start()])
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
