"""Runs a program of the tutorial. Its clients are plain sockets."""
import json
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
import program
from program import LIMIT, Case, dial, main, receive, until_end

PROGRAMS = pathlib.Path(os.environ["TUTORIAL"])


def usable():
    """Each engine once that this machine allows, where many clients are served at a time."""
    left_out = os.environ.get("TUTORIAL_WITHOUT", "").split()
    models = json.loads(subprocess.run([os.environ["IOLITE_COMMAND"], "models", "--json", "-"],
                                       stdout=subprocess.PIPE, check=True).stdout)
    for model in models:
        wanted = "thread" if model["engine"] == "blocking" else "shared"
        if model["placement"] != wanted or not model["available"]:
            continue
        if model["engine"] in left_out:
            print(f"without {model['engine']}: not under this sanitizer", file=sys.stderr)
        else:
            yield model["model"]


MODELS = list(usable())
ENGINES = [m.split("/")[0] for m in MODELS]


def needs(engine):
    """For what is about one engine."""
    return unittest.skipUnless(engine in ENGINES, f"{engine} is not to be had here")


# What the programs say that measure their cost: see support/cost.cpp.
COST = re.compile(r"connections (\d+), processes (\d+), threads (\d+), memory (\d+) KiB; "
                  r"per client ([\d.]+) processes, ([\d.]+) threads, (-?[\d.]+) KiB")


class Running(program.Running):
    """start("two_ports", "--model", "poll"): the programs listen where --listen says."""
    stops = signal.SIGINT  # ^C


def start(name, *arguments, **changes):
    return Running(PROGRAMS / name, *arguments, **changes)


# Runs a program with all descriptors below a number taken, and a limit of its own.
CROWD = """
import os, resource, sys
limit, taken = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
null = os.open(os.devnull, os.O_RDONLY)
for number in range(3, taken):
    os.dup2(null, number)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Crowded(Running):
    def dialled(self, clients, address):
        """Dials once more; what the program says of it."""
        clients.append(dial(address))
        return self.line()


def start_crowded(name, taken, limit=4096):
    return Crowded(sys.executable, "-c", CROWD, str(limit), str(taken), PROGRAMS / name,
                   "--listen", ":0")


class Counted(Running):
    """A program on support/counted_echo.hpp, which says what its lines cost."""

    def __init__(self, name, every):
        super().__init__(PROGRAMS / name, "--listen", ":0", "--every", str(every))
        self.every = every

    def costs(self, clients):
        """After as many lines as it reports, spread over the clients, all of whom wait for their
        answer: the number of threads, and the calls for a line by name."""
        for number in range(0, self.every, len(clients)):
            for s in clients:
                s.sendall(b"line %d\n" % number)
            for s in clients:
                text = b"line %d\n" % number
                if receive(s, len(text)) != text:
                    raise AssertionError("not the echo of what was sent")
        line = self.line()
        match = re.match(rf"{self.every} lines; threads: (\d+); calls for each line:", line)
        if not match:
            raise AssertionError(f"not a report: {line!r}")
        words = line[match.end():].split()
        return int(match[1]), {name: float(count) for name, count in zip(words[::2], words[1::2])}


def reset(s):
    """Ends a connection with RST: nothing is left to be sent, and no good-bye."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def is_silent(s, seconds=0.2):
    """Nothing comes for a while: what "it waits" looks like from outside."""
    s.settimeout(seconds)
    try:
        return s.recv(1, socket.MSG_PEEK) is None
    except TimeoutError:
        return True
    finally:
        s.settimeout(LIMIT)


def receive_line(s):
    """The next line without its newline; what there was when the stream ends first."""
    got = b""
    while (piece := s.recv(1)) not in (b"", b"\n"):
        got += piece
    return got.decode()


def ask(s, line):
    """Sends a line; gives the line that is the answer."""
    s.sendall(line.encode() + b"\n")
    return receive_line(s)


def wait_until(holds):
    """Asks holds() again and again; fails when it never does."""
    until = time.monotonic() + LIMIT
    while not holds():
        if time.monotonic() > until:
            raise AssertionError(f"not within {LIMIT} s")
        time.sleep(0.01)


def proc_field(pid, file, name):
    """The number behind `name` in a file of /proc/PID: proc_field(7, "status", "Threads")."""
    with open(f"/proc/{pid}/{file}", encoding="ascii", errors="replace") as lines:
        return next(int(l.split()[1]) for l in lines if l.startswith(name + ":"))


def no_core_file():
    """start(..., prepare=no_core_file): for a program that is made to crash."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
