"""Which servers there are, what each is compared with, and what it needs to be there.

The loops are the limit of their facility. Each peer's own file says which practice it follows.
"""
import dataclasses
import functools
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parents[1]
PEERS = HERE / "peers"
MANY = 20_000  # connections
SPIN = "50us"


@dataclasses.dataclass(frozen=True)
class Server:
    command: tuple  # program, relative to the build or found by PATH, and its own arguments
    base: str = None  # what it is compared with
    needs: str = ""  # Debian packages
    buffer: int = None  # always this one; None: the run says; 0: its own choice
    most: int = MANY  # connections

    @property
    def is_ours(self):
        return self.command[0].endswith("_iolite")


def loop(program, *arguments, needs="", **rest):
    return Server((f"loops/{program}", *arguments), needs=needs or "libc6-dev", **rest)


def uring(program, *arguments, **rest):
    return loop(program, *arguments, needs="liburing-dev", **rest)


def ours(model, base, *arguments, program="echo_iolite", **rest):
    return Server((program, model, *arguments), base, **rest)


def peer(program, needs, *arguments, base="epoll_lt", **rest):
    return Server((f"peers/{program}", *arguments), base, needs, **rest)


def script(interpreter, name, needs, *arguments):
    return Server((interpreter, str(PEERS / name), *arguments), "epoll_lt", needs, buffer=0)


ASIO = "libasio-dev"
TOKIO = "cargo rustc librust-tokio-dev"

ECHO = {
    "epoll_lt": loop("epoll_lt"),
    "epoll_et": loop("epoll_et", base="epoll_lt"),
    "iolite epoll": ours("epoll", "epoll_lt"),
    "iolite epoll lease": ours("epoll", "epoll_lt", "--lease", buffer=0),
    "uring_single": uring("uring_single", base="epoll_lt"),
    "uring_multishot": uring("uring_multishot", base="epoll_lt"),
    "uring_incremental": uring("uring_incremental", base="epoll_lt", buffer=65536),
    "iolite io_uring": ours("io_uring", "uring_single"),
    "iolite io_uring direct": ours("io_uring", "iolite io_uring", "--direct", "12000"),
    "iolite io_uring lease": ours("io_uring", "uring_incremental", "--lease", buffer=0),
    "iolite io_uring each": ours("io_uring", "iolite io_uring", "--receives", "each"),
    "poll": loop("poll", base="epoll_lt"),
    "iolite poll": ours("poll", "poll"),
    "select": loop("select", base="epoll_lt", most=1_000),
    "iolite select": ours("select", "select", most=1_000),
    "nonblocking": loop("nonblocking", base="epoll_lt"),
    "iolite nonblocking": ours("nonblocking", "nonblocking"),
    "signal": loop("signal", base="epoll_lt"),
    "iolite signal": ours("signal", "signal"),
    "blocking_thread": loop("blocking_thread", base="epoll_lt"),
    "iolite blocking": ours("blocking/thread", "blocking_thread", most=1_000),
    "iolite posix_aio": ours("posix_aio", "epoll_lt", most=1_000),
    "asio coroutines": peer("asio_coroutines", ASIO),
    "asio callbacks": peer("asio_callbacks", ASIO),
    "libuv": peer("libuv", "libuv1-dev"),
    "libevent": peer("libevent_events", "libevent-dev"),
    "libevent bufferevent": peer("libevent_bufferevent", "libevent-dev", buffer=0),
    "libev": peer("libev", "libev-dev"),
    "go": peer("go", "golang-go"),
    "tokio": peer("tokio", TOKIO),
    "asyncio": script("python3", "echo_asyncio.py", "python3"),
    "uvloop": script("python3", "echo_asyncio.py", "python3-uvloop", "--uvloop"),
    "node": script("node", "echo_node.js", "nodejs"),
}

# Each model once, and the loop it stands on.
GROWING = {
    name: ECHO[name] for name in (
        "epoll_lt", "iolite epoll", "uring_single", "iolite io_uring", "poll", "iolite poll",
        "select", "iolite select", "nonblocking", "iolite nonblocking", "signal", "iolite signal",
        "blocking_thread", "iolite blocking", "iolite posix_aio")
}

FAN = {
    "epoll_fan": loop("epoll_fan", "--fan"),
    "uring_fan": uring("uring_fan", "--fan", base="epoll_fan"),
    "iolite epoll": ours("epoll", "epoll_fan", "--fan", program="fan_iolite"),
    "iolite io_uring": ours("io_uring", "uring_fan", "--fan", program="fan_iolite"),
    "iolite poll": ours("poll", "epoll_fan", "--fan", program="fan_iolite"),
    "asio callbacks": peer("asio_callbacks", ASIO, "--fan", base="epoll_fan"),
    "libuv": peer("libuv", "libuv1-dev", "--fan", base="epoll_fan"),
    "libev": peer("libev", "libev-dev", "--fan", base="epoll_fan"),
    "go": peer("go", "golang-go", "--fan", base="epoll_fan"),
}

TWO = ("--threads", "2")
POOL = {
    "epoll_lt": loop("epoll_lt", *TWO),
    "uring_single": uring("uring_single", *TWO, base="epoll_lt"),
    "iolite epoll/pool": ours("epoll/pool", "epoll_lt", *TWO),
    "iolite io_uring/pool": ours("io_uring/pool", "uring_single", *TWO),
    "iolite poll/pool": ours("poll/pool", "epoll_lt", *TWO),
    "asio coroutines": peer("asio_coroutines", ASIO, *TWO),
    "asio callbacks": peer("asio_callbacks", ASIO, *TWO),
    "go": peer("go", "golang-go", *TWO),
    "tokio": peer("tokio", TOKIO, *TWO),
}

SPINNING = {
    "epoll_lt": loop("epoll_lt"),
    "epoll_lt spin": loop("epoll_lt", "--spin", SPIN, base="epoll_lt"),
    "nonblocking": loop("nonblocking", base="epoll_lt"),
    "uring_single": uring("uring_single", base="epoll_lt"),
    "iolite epoll": ours("epoll", "epoll_lt"),
    "iolite epoll spin": ours("epoll", "epoll_lt spin", "--spin", SPIN),
    "iolite io_uring": ours("io_uring", "uring_single"),
    "iolite io_uring spin": ours("io_uring", "epoll_lt spin", "--spin", SPIN),
    "iolite nonblocking": ours("nonblocking", "nonblocking"),
}


@functools.lru_cache(maxsize=None)
def python_with(module):
    """A Python that has the module, the system's first; None: there is none."""
    for python in ("/usr/bin/python3", shutil.which("python3")):
        if python and os.path.exists(python) and subprocess.run(
                [python, "-c", f"import {module}"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


def program(build, server):
    """(the command to run, None) or (None, why it cannot be)."""
    first, *rest = server.command
    if first == "python3":
        found = python_with("uvloop" if "--uvloop" in rest else "asyncio")
    elif "/" in first or server.is_ours:
        found = build / first if (build / first).exists() else None
    else:
        found = shutil.which(first)
    if not found:
        return None, f"it is not there: needs {server.needs or 'a build'} (Debian)"
    return [str(found), *rest], None
