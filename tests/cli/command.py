"""The command under test, and what its lines look like."""
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
import program
from program import LIMIT, dial, environment, main, receive, until_end

COMMAND = os.environ["IOLITE_COMMAND"]


class Running(program.Running):
    def __init__(self, *arguments, **options):
        super().__init__(COMMAND, *arguments, **options)

    def address(self):
        """Where it listens, from its next line."""
        line = self.line()
        match = re.fullmatch(r"listening on (\S+) \((\w[\w-]*), (\w+/\w+)\)", line)
        if not match:
            raise AssertionError(f"not a listening line: {line!r}; {self.rest('stderr')!r}")
        self.service, self.model = match[2], match[3]
        return match[1]


class Done:
    def __init__(self, process):
        self.status = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    def json(self):
        return json.loads(self.out)


def run(*arguments, stdin="", limit=LIMIT, prepare=None, **changes):
    return Done(subprocess.run([COMMAND, *arguments], input=stdin, text=True, capture_output=True,
                               timeout=limit, env=environment(**changes), preexec_fn=prepare))


def on_terminal(*arguments, limit=LIMIT):
    """Its status, its output, and what it writes to its terminal, which is stderr alone."""
    leader, follower = pty.openpty()
    child = subprocess.Popen([COMMAND, *arguments], stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 4096):
            shown += piece
    except OSError:
        pass  # how a terminal ends: pty(7)
    out, _ = child.communicate(timeout=limit)
    os.close(leader)
    return child.returncode, out.decode(), shown.decode()


def serve(*arguments, **changes):
    return Running("serve", *arguments, **changes)


class Case(program.Case):
    def one_line(self, text, says):
        """Exactly one line of the command's own, and it says so."""
        lines = text.splitlines()
        self.assertEqual(len(lines), 1, text)
        self.assertRegex(lines[0], r"^iolite: ")
        self.assertRegex(lines[0], says)


__all__ = ["Case", "Running", "dial", "json", "main", "on_terminal", "os", "re", "receive", "run", "serve",
           "signal", "socket", "subprocess", "until_end"]
