"""Runs a program under test: every child has a time limit, and none outlives its test."""
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import time
import unittest

LIMIT = 20  # seconds, for anything that should take far less


def environment(**changes):
    clean = {k: v for k, v in os.environ.items() if k != "IOLITE_MODEL"}
    return clean | changes


class Running:
    """A child with its output as lines; used as a context it is killed at the end."""
    stops = signal.SIGTERM  # what it is told to end by

    def __init__(self, program, *arguments, stdin=subprocess.DEVNULL, prepare=None, **changes):
        self.process = subprocess.Popen(
            [program, *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(**changes), preexec_fn=prepare)
        self.unread = {"stdout": b"", "stderr": b""}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LIMIT)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def line(self, which="stdout"):
        """The next line; fails when none comes in time. "" at the end of the output."""
        stream = getattr(self.process, which)
        until = time.monotonic() + LIMIT
        while b"\n" not in self.unread[which]:
            if not select.select([stream], [], [], max(0, until - time.monotonic()))[0]:
                raise AssertionError(f"no line on {which} within {LIMIT} s")
            piece = os.read(stream.fileno(), 65536)
            if not piece:
                break
            self.unread[which] += piece
        line, _, self.unread[which] = self.unread[which].partition(b"\n")
        return line.decode()

    def send(self, number):
        self.process.send_signal(number)

    def status(self):
        """As a shell gives it: 128 + the number of a signal that ended it."""
        code = self.process.wait(LIMIT)
        return 128 - code if code < 0 else code

    def address(self):
        """Where it listens, from its next line."""
        line = self.line()
        match = re.match(r"listening on (\S+)", line)
        if not match:
            raise AssertionError(f"not a listening line: {line!r}; {self.rest('stderr')!r}")
        return match[1]

    def ends_well(self):
        self.send(self.stops)
        status = self.status()
        if status != 0:
            raise AssertionError(f"it ended with {status}: {self.rest('stderr')!r}")

    def rest(self, which):
        text = ""
        while line := self.line(which):
            text += line + "\n"
        return text


def dial(address):
    """A raw connection: no code of the library."""
    if address.startswith("unix:"):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LIMIT)
        s.connect(address[5:])
        return s
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=LIMIT)


def receive(s, count):
    got = b""
    while len(got) < count:
        piece = s.recv(count - len(got))
        if not piece:
            break
        got += piece
    return got


def until_end(s):
    got = b""
    while piece := s.recv(65536):
        got += piece
    return got


class Case(unittest.TestCase):
    def folder(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        return made.name


def main():
    unittest.main()
