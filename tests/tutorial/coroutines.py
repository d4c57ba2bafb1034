"""coroutines: in both styles, the same talk."""
import contextlib
import struct
import subprocess
import threading

from tutorial import *

# Each way to run it: the program's options.
STYLES = [["--style", "coroutines", "--model", model] for model in MODELS] + [
    ["--style", "callbacks", "--model", facility]
    for facility in ("auto", "nonblocking", "select", "poll", "epoll", "signal")]
FIRST, SECOND = "first number?", "second number?"


class Coroutines(Case):
    @contextlib.contextmanager
    def serving(self, style):
        with self.subTest(style=style), start("coroutines", "--listen", ":0", *style) as server:
            yield server.address(), server.process.pid
            server.ends_well()

    def test_the_talk(self):
        for style in STYLES:
            with self.serving(style) as (address, _):
                with dial(address) as one, dial(address) as other:
                    for client in one, other:
                        self.assertEqual(receive_line(client), FIRST)
                    self.assertEqual(ask(one, "17"), SECOND)
                    self.assertEqual(ask(other, "1000"), SECOND)  # each has its own memory
                    self.assertEqual(ask(one, "seventeen"), SECOND)
                    self.assertEqual(ask(one, "-5\r"), "17 + -5 = 12")
                    self.assertEqual(receive_line(one), FIRST)
                    self.assertEqual(ask(one, "1 2"), FIRST)
                    self.assertEqual(ask(one, ""), FIRST)
                    self.assertEqual(ask(one, "99999999999999999999"), FIRST)
                    one.sendall(b"2")  # in pieces
                    other.sendall(b"2147483647\n")
                    self.assertEqual(receive_line(other), "1000 + 2147483647 = 2147484647")
                    self.assertEqual(receive_line(other), FIRST)
                    one.sendall(b"1\n2")
                    self.assertEqual(receive_line(one), SECOND)
                    one.sendall(b"1\nlast, and not whole")
                    self.assertEqual(receive_line(one), "21 + 21 = 42")
                    one.shutdown(socket.SHUT_WR)
                    self.assertEqual(until_end(one).decode(), FIRST + "\n")
                    self.assertEqual(ask(other, "3"), SECOND)  # served to the end
                with dial(address) as reset, dial(address) as other:
                    self.assertEqual(receive_line(reset), FIRST)
                    reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    reset.close()
                    self.assertEqual(receive_line(other), FIRST)
                    self.assertEqual(ask(other, "4"), SECOND)

    def test_all_at_once_and_nothing_is_lost(self):
        # The answers do not fit into the sockets: both must wait for a client who reads late.
        pairs = 20000
        asked = b"".join(b"%d\n%d\n" % (i, 7 * i) for i in range(pairs))
        wanted = "".join(f"{FIRST}\n{SECOND}\n{i} + {7 * i} = {8 * i}\n" for i in range(pairs))
        for style in STYLES:
            with self.serving(style) as (address, _):
                with dial(address) as client, dial(address) as other:
                    sender = threading.Thread(target=lambda c=client: (
                        c.sendall(asked), c.shutdown(socket.SHUT_WR)))
                    sender.start()
                    self.assertEqual(receive_line(other), FIRST)
                    self.assertEqual(ask(other, "1"), SECOND)  # served beside it
                    self.assertTrue(until_end(client).decode() == wanted + FIRST + "\n")
                    sender.join(20)

    def test_a_line_without_an_end_ends_the_talk(self):
        for style in STYLES:
            with self.serving(style) as (address, pid):
                with dial(address) as client:
                    try:
                        for _ in range(1000):
                            client.sendall(b"1" * 65536)
                        self.fail("it takes a line of any length")
                    except OSError:  # reset, or a broken pipe
                        pass
                self.assertLess(proc_field(pid, "status", "VmHWM"), 50_000)

    def test_other_styles_there_are_not(self):
        for wrong in ["--style", "cobol"], ["--style", "callbacks", "--model", "io_uring"]:
            done = subprocess.run([PROGRAMS / "coroutines", "--listen", ":0", *wrong],
                                  capture_output=True, text=True, timeout=20)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, r"\A.*\n\Z")


if __name__ == "__main__":
    main()
