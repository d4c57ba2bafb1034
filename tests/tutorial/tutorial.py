"""Runs a program of the tutorial. Its clients are plain sockets."""
import os
import pathlib
import re
import signal
import socket
import struct
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
import program
from program import LIMIT, Case, dial, main, receive, until_end

PROGRAMS = pathlib.Path(os.environ["TUTORIAL"])
# Each engine once, in a placement in which many clients are served at a time.
MODELS = ["blocking/thread", "nonblocking", "select", "poll", "epoll", "signal", "posix_aio",
          "io_uring"]


class Running(program.Running):
    """start("two_ports", "--model", "poll"): the programs listen where --listen says."""

    def address(self):
        """Where it listens, from its next line."""
        line = self.line()
        match = re.match(r"listening on (\S+)", line)
        if not match:
            raise AssertionError(f"not a listening line: {line!r}; {self.rest('stderr')!r}")
        return match[1]

    def ends_well(self):
        """^C, and exit 0."""
        self.send(signal.SIGINT)
        status = self.status()
        if status != 0:
            raise AssertionError(f"it ended with {status}: {self.rest('stderr')!r}")


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


__all__ = ["Case", "MODELS", "PROGRAMS", "dial", "is_silent", "main", "os", "receive", "signal",
           "socket", "start", "time", "until_end"]
