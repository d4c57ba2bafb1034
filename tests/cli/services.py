"""What `iolite serve` and `iolite connect` do, seen by plain sockets."""
import fcntl
import sys
import termios
import threading

from command import *
from command import COMMAND, LIMIT

MODELS = ["epoll", "blocking/thread"]


class EachService(Case):
    def each(self, service):
        for model in MODELS:
            with self.subTest(model=model), serve(service, "--model", model, "--listen", ":0") as s:
                with dial(s.address()) as peer:
                    self.assertEqual(s.service, service)
                    self.assertTrue(s.model.startswith(model), s.model)
                    yield peer

    def test_echo_gives_back_what_comes(self):
        sent = bytes(range(256)) * 1024
        for peer in self.each("echo"):
            peer.sendall(b"hello")
            self.assertEqual(receive(peer, 5), b"hello")
            peer.sendall(sent)
            self.assertEqual(receive(peer, len(sent)), sent)
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(until_end(peer), b"")

    def test_upper_changes_ascii_letters_only(self):
        for peer in self.each("upper"):
            peer.sendall("Grün, 1 azAZ {`\n".encode())
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(until_end(peer).decode(), "GRüN, 1 AZAZ {`\n")

    def test_discard_answers_nothing(self):
        for peer in self.each("discard"):
            peer.sendall(b"x" * 100_000)
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(until_end(peer), b"")

    def test_chargen_sends_lines_until_the_peer_goes(self):
        for peer in self.each("chargen"):
            text = receive(peer, 74 * 96).decode()
            lines = text.split("\r\n")
            self.assertEqual(len(lines[0]), 72)
            self.assertTrue(lines[0].startswith(" !\"#"))
            self.assertEqual(lines[1][0], "!")
            self.assertEqual(lines[95], lines[0])


class Addresses(Case):
    def talk(self, address):
        with dial(address) as peer:
            peer.sendall(b"hello")
            self.assertEqual(receive(peer, 5), b"hello")

    def test_two_addresses_at_a_time(self):
        path = self.folder() + "/echo.sock"
        with serve("echo", "--listen", "127.0.0.1:0", "--listen", "unix:" + path) as s:
            first, second = s.address(), s.address()
            self.assertRegex(first, r"^127\.0\.0\.1:[1-9]")
            self.assertEqual(second, "unix:" + path)
            self.talk(first)
            self.talk(second)
            s.send(signal.SIGTERM)
            self.assertEqual(s.status(), 0)
        self.assertFalse(os.path.exists(path))

    def test_ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as e:
            self.skipTest(f"no IPv6 here: {e}")
        with serve("echo", "--listen", "[::1]:0") as s:
            address = s.address()
            self.assertRegex(address, r"^\[::1\]:[1-9]")
            self.talk(address)

    def test_auto_says_on_standard_error_what_it_took(self):
        with serve("echo", "--listen", ":0") as s:
            s.address()
            self.assertIn(s.model.split("/")[0], s.line("stderr"))

    def test_the_environment_sets_what_auto_means(self):
        with serve("echo", "--listen", ":0", IOLITE_MODEL="poll") as s:
            s.address()
            self.assertEqual(s.model, "poll/shared")

    def test_a_reader_that_goes_away_does_not_end_it(self):
        with serve("echo", "--listen", ":0", "--model", "epoll") as s:
            address = s.address()
            s.process.stdout.close()
            self.talk(address)
            s.send(signal.SIGTERM)
            self.assertEqual(s.process.wait(10), 0)

    def test_without_standard_output_no_socket_takes_its_number(self):
        path = self.folder() + "/echo.sock"
        with serve("echo", "--listen", "unix:" + path, prepare=lambda: os.close(1)) as s:
            self.assertNotEqual(s.line("stderr"), "")  # what auto took: it is about to listen
            for _ in range(2):
                self.talk("unix:" + path)


class Ending(Case):
    def test_sigterm_drains_with_an_idle_client(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            for model in ("epoll", "blocking/thread", "blocking/process"):
                with self.subTest(model=model, number=number), \
                        serve("echo", "--model", model, "--listen", ":0") as s:
                    with dial(s.address()) as peer:
                        peer.sendall(b"x")
                        self.assertEqual(receive(peer, 1), b"x")
                        s.send(number)
                        self.assertEqual(until_end(peer), b"")
                    self.assertEqual(s.process.wait(5), 0)

    def test_busy_connections_may_finish(self):
        """The end of one connection does not end the others."""
        for model in ("epoll", "epoll/thread", "epoll/pool", "blocking/thread", "blocking/pool",
                      "blocking/process"):
            with self.subTest(model=model), \
                    serve("chargen", "--model", model, "--listen", ":0",
                          "--drain-timeout", "1h") as s:
                address = s.address()
                busy, gone = dial(address), dial(address)
                with busy, gone:
                    receive(busy, 1)
                    receive(gone, 1)
                    s.send(signal.SIGTERM)
                    self.wait_until_refused(address)
                    gone.close()
                    more = 32_000_000  # more than all buffers on the way hold
                    self.assertEqual(len(receive(busy, more)), more)
                self.assertEqual(s.status(), 0)

    def test_busy_connections_are_given_up_after_the_drain_timeout(self):
        for model in ("epoll", "epoll/thread", "epoll/pool", "blocking/thread", "blocking/pool",
                      "blocking/process", "blocking/prefork"):
            with self.subTest(model=model), \
                    serve("chargen", "--model", model, "--listen", ":0",
                          "--drain-timeout", "100ms") as s:
                address = s.address()
                with dial(address) as busy, dial(address) as gone:
                    receive(busy, 1)
                    receive(gone, 1)
                    s.send(signal.SIGTERM)
                    gone.close()
                    self.assertEqual(s.process.wait(5), 0)

    def test_a_second_signal_ends_it_at_once(self):
        for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            with self.subTest(number=number), \
                    serve("chargen", "--listen", ":0", "--drain-timeout", "1h") as s:
                address = s.address()
                with dial(address) as peer:  # reads nothing more: chargen is never done
                    receive(peer, 1)
                    s.send(number)
                    self.wait_until_refused(address)
                    s.send(number)
                    self.assertEqual(s.status(), status)

    def wait_until_refused(self, address):
        """It has seen the first signal once nobody is accepted any more."""
        for _ in range(100_000):
            try:
                dial(address).close()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                pass
        self.fail("still listening after the first signal")


def held(pipe):
    """How many bytes wait in it."""
    count = bytearray(4)
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return int.from_bytes(count, sys.byteorder)


class Connect(Case):
    def test_piped_input_is_sent_whole_and_every_answer_printed(self):
        text = "".join(f"line {n}\n" for n in range(20_000))
        with serve("upper", "--listen", ":0", "--model", "epoll") as s:
            done = run("connect", s.address(), stdin=text)
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertEqual(done.out, text.upper())

    def test_output_that_does_not_block_is_waited_for(self):
        text = "".join(f"line {n}\n" for n in range(40_000))
        reader, writer = os.pipe()
        os.set_blocking(writer, False)  # by whoever shares it
        with serve("upper", "--listen", ":0", "--model", "epoll") as s:
            with subprocess.Popen([COMMAND, "connect", s.address()], stdin=subprocess.PIPE,
                                  stdout=writer, stderr=subprocess.PIPE) as c, \
                    open(reader, "rb") as out:
                os.close(writer)
                feed = threading.Thread(target=lambda: (c.stdin.write(text.encode()),
                                                        c.stdin.close()))
                feed.start()
                while c.poll() is None and held(reader) < 65_536:  # until there is no room
                    os.sched_yield()
                self.assertEqual(out.read().decode(), text.upper())
                feed.join()
                self.assertEqual((c.wait(LIMIT), c.stderr.read()), (0, b""))

    def test_input_from_a_file(self):
        path = self.folder() + "/in"
        with open(path, "w") as file:
            file.write("from a file\n")
        with serve("echo", "--listen", ":0", "--model", "epoll") as s, open(path) as file, \
                Running("connect", s.address(), stdin=file) as c:
            self.assertEqual(c.line(), "from a file")
            self.assertEqual(c.status(), 0)

    def test_a_line_is_answered_while_input_goes_on(self):
        with serve("upper", "--listen", ":0", "--model", "epoll") as s, \
                Running("connect", s.address(), stdin=subprocess.PIPE) as c:
            for word in ("one", "two"):
                c.process.stdin.write(word.encode() + b"\n")
                c.process.stdin.flush()
                self.assertEqual(c.line(), word.upper())
            s.send(signal.SIGTERM)  # the server ends the connection, standard input is still open
            self.assertEqual(c.status(), 0)

    def test_an_interrupt_ends_it_quietly(self):
        with serve("upper", "--listen", ":0", "--model", "epoll") as s, \
                Running("connect", s.address(), stdin=subprocess.PIPE) as c:
            c.process.stdin.write(b"x\n")
            c.process.stdin.flush()
            c.line()
            c.send(signal.SIGINT)
            self.assertEqual(c.status(), 130)
            self.assertEqual(c.rest("stderr"), "")

    def test_nobody_listens(self):
        done = run("connect", "unix:" + self.folder() + "/none.sock")
        self.assertEqual(done.status, 1)
        self.one_line(done.err, "iolite serve echo")


if __name__ == "__main__":
    main()
