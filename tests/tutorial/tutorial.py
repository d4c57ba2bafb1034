"""Runs a program of the tutorial. Its clients are plain sockets."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

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


def is_silent(s, seconds=0.2):
    """Nothing comes for a while: what "it waits" looks like from outside."""
    s.settimeout(seconds)
    try:
        return s.recv(1, socket.MSG_PEEK) is None
    except TimeoutError:
        return True
    finally:
        s.settimeout(LIMIT)


__all__ = ["Case", "ENGINES", "MODELS", "PROGRAMS", "dial", "is_silent", "main", "os", "receive", "signal",
           "socket", "start", "time", "until_end"]
