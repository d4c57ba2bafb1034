"""What is asked of the servers: what the load generator is told, and which servers take part."""
import dataclasses

from . import servers

SMALL = (4096,)
BOTH = (4096, 65536)  # bytes of a receive: bulk is decided by them


@dataclasses.dataclass(frozen=True)
class Workload:
    words: str
    load: tuple  # arguments of bench/load
    connections: int
    table: dict = dataclasses.field(default_factory=lambda: servers.ECHO)
    buffers: tuple = SMALL
    unix: bool = False
    cores: int = 1  # of the server
    unit: str = "request"
    idle: bool = False  # its memory is measured, not its time


def echo(words, connections, *load, size=64, **rest):
    return Workload(words, ("--connections", str(connections), "--size", str(size), *load),
                    connections, **rest)


def fan(connections):
    return Workload(f"one publishes 64 B, {connections:,} receive it",
                    ("--connections", str(connections), "--fan"), connections, servers.FAN,
                    unit="delivery")


def few(connections):
    return echo(f"9 active of {connections:,}: how cost grows with those that are silent", 9,
                "--idle", str(connections - 9), table=servers.GROWING)


WORKLOADS = {
    "pp64": echo("64 connections, 64 B, one request each", 64),
    "pp1": echo("1 connection, 64 B: waking dominates", 1),
    "pp1000": echo("1,000 connections, 64 B, all active", 1000),
    "pipe16": echo("64 connections, 64 B, 16 requests outstanding on each", 64, "--depth", "16"),
    "big16k": echo("64 connections, 16 KiB", 64, size=16384, buffers=BOTH),
    "big256k": echo("16 connections, 256 KiB", 16, size=262144, buffers=BOTH),
    "act100": echo("100 active of 10,000, 64 B", 100, "--idle", "9900"),
    "few9": few(9),
    "few900": few(900),
    "few9000": few(9000),
    "churn": echo("64 at a time: connect, one request of 64 B, close", 64, "--churn"),
    "flood": echo("200 connections, 7 requests of 7,777 B outstanding on each: is it fair?", 200,
                  "--depth", "7", size=7777, buffers=BOTH),
    "fan1000": fan(1_000),
    "fan10000": fan(10_000),
    "idle": Workload("10,000 connections, one request of 64 B each, then nothing",
                     ("--connections", "10000", "--hold"), 10_000, buffers=BOTH, idle=True),
    "unix64": echo("64 unix connections, 64 B", 64, unix=True),
    "unix16k": echo("64 unix connections, 16 KiB", 64, size=16384, unix=True, buffers=BOTH),
    "pool64": echo("two cores, 64 connections, 64 B", 64, table=servers.POOL, cores=2),
    "spin1": echo(f"1 connection, 64 B; some ask for {servers.SPIN} before they sleep", 1,
                  table=servers.SPINNING),
}
# act100 holds its idle connections too.
HELD = {"act100": 10_000, "few900": 900, "few9000": 9_000}

QUICK = {
    "workloads": ["pp64", "pp1", "pipe16", "big16k", "churn", "fan1000"],
    "servers": r"^(epoll_lt|uring_single|uring_multishot|uring_fan|epoll_fan|iolite epoll|"
               r"iolite io_uring|asio coroutines|libuv|libev|go|tokio)$",
    "buffers": SMALL,
    "seconds": 0.3,
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A server with what it is told."""
    name: str
    server: servers.Server
    arguments: tuple
    base: str  # the name of another row, or None


def buffer_word(size):
    return f"{size // 1024}k" if size % 1024 == 0 else str(size)


def rows(name, buffers=None):
    """Of a workload, each server with each size of a buffer; those of the first have the plain name."""
    workload = WORKLOADS[name]
    sizes = buffers or workload.buffers
    held = max(workload.connections, HELD.get(name, 0))
    out = []
    for size in sizes:
        word = "" if size == sizes[0] else " " + buffer_word(size)
        for title, server in workload.table.items():
            fixed = server.buffer is not None
            if held > server.most or (fixed and size != sizes[0]):
                continue
            told = server.buffer if fixed else size
            base = server.base
            if base and workload.table[base].buffer is None:
                base += word
            out.append(Row(title + word, server, ("--buffer", str(told)) if told else (), base))
    return out
