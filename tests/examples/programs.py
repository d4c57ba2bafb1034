"""Runs a program of examples/programs on each of three models. Its peers are plain sockets, nc, socat."""
import atexit
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
import program
from program import LIMIT, Case, dial, main, receive, until_end

PROGRAMS = pathlib.Path(os.environ["PROGRAMS"])


def usable(wanted):
    models = json.loads(subprocess.run([os.environ["IOLITE_COMMAND"], "models", "--json", "-"],
                                       stdout=subprocess.PIPE, check=True).stdout)
    for model in models:
        if model["model"] in wanted:
            if model["available"]:
                yield model["model"]
            else:
                print(f"without {model['model']}: {model['reason']}", file=sys.stderr)


MODELS = list(usable(["epoll/shared", "io_uring/shared", "blocking/thread"]))


def start(name, *arguments, model="epoll/shared"):
    running = program.Running(PROGRAMS / name, *map(str, arguments), IOLITE_MODEL=model)
    atexit.register(running.__exit__)  # a test that fails keeps it in its traceback
    return running


def tool(name):
    """For a test with a foreign program that may not be installed."""
    return unittest.skipUnless(shutil.which(name), f"{name} is not installed")


def receive_line(s):
    """The next line without its newline; what there was when the stream ends first."""
    got = b""
    while (piece := s.recv(1)) not in (b"", b"\n"):
        got += piece
    return got.decode()


def reset(s):
    """Ends a connection with RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


class Server:
    """serve(socket) on a thread for each connection."""

    def __init__(self, serve, backlog=128):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.serve, self.threads, self.connections = serve, [], 0
        self.threads.append(threading.Thread(target=self.accept, daemon=True))
        self.threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(LIMIT)
        self.listener.close()

    def accept(self):
        try:
            while True:
                peer = self.listener.accept()[0]
                peer.settimeout(LIMIT)
                self.connections += 1
                self.threads.append(threading.Thread(target=self.run, args=(peer,),
                                                     daemon=True))
                self.threads[-1].start()
        except OSError:
            pass  # it is over

    def run(self, peer):
        with peer:
            try:
                self.serve(peer)
            except OSError:
                pass  # the peer has gone


def wait_until(holds):
    until = time.monotonic() + LIMIT
    while not holds():
        if time.monotonic() > until:
            raise AssertionError(f"not within {LIMIT} s")
        time.sleep(0.01)
