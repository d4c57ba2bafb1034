"""What all the programs have in common: usage, the end, a port in use."""
import subprocess

from tutorial import *

NEEDS = {"io_uring_echo": "io_uring", "posix_aio": "posix_aio", "signal_driven": "signal"}
ALL = sorted(p.name for p in PROGRAMS.iterdir() if p.is_file() and os.access(p, os.X_OK)
             and NEEDS.get(p.name, ENGINES[0]) in ENGINES)


def run(name, *arguments):
    return subprocess.run([PROGRAMS / name, *arguments], capture_output=True, text=True, timeout=20)


def listens(name):
    return "--listen" in run(name, "--help").stdout


class EveryProgram(Case):
    def test_help_says_what_it_is(self):
        for name in ALL:
            with self.subTest(program=name):
                done = run(name, "--help")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertGreater(len(done.stdout.splitlines()), 3)

    def test_wrong_usage_is_one_line(self):
        for name in ALL:
            with self.subTest(program=name):
                done = run(name, "--no-such-option")
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, r"\A.*--no-such-option.*\n\Z")

    def test_ends_on_interrupt(self):
        for name in filter(listens, ALL):
            for number in signal.SIGINT, signal.SIGTERM:
                with self.subTest(program=name), start(name, "--listen", "127.0.0.1:0") as server:
                    address = server.address()
                    with dial(address):  # also with somebody connected
                        server.send(number)
                        self.assertEqual(server.status(), 0, server.rest("stderr"))

    def test_a_port_in_use_is_one_line(self):
        for name in filter(listens, ALL):
            with self.subTest(program=name), socket.create_server(("127.0.0.1", 0)) as taken:
                done = run(name, "--listen", "127.0.0.1:%d" % taken.getsockname()[1])
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, r"\A.*in use.*\n\Z")


if __name__ == "__main__":
    main()
