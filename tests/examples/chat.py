"""chat: rooms, slow readers, and good-byes when the server stops; also with members on several threads."""
from programs import *

POOLS = list(usable(["epoll/pool", "blocking/pool"]))


class Member:
    """Reads by hand, so that a reader may be slow."""

    def __init__(self, address, name):
        self.s, self.text, self.name = dial(address), b"", name
        self.expect("* who are you?")
        self.say(name)
        self.expect(f"* {name} is in lobby")

    def say(self, line):
        self.s.sendall(line.encode() + b"\n")

    def line(self):
        while b"\n" not in self.text:
            piece = self.s.recv(65536)
            if not piece:
                return None
            self.text += piece
        line, _, self.text = self.text.partition(b"\n")
        return line.decode()

    def expect(self, *lines):
        for line in lines:
            got = self.line()
            if got != line:
                raise AssertionError(f"{line!r} is expected, not {got!r}")

    def until(self, line):
        while (got := self.line()) != line:
            if got is None:
                raise AssertionError(f"the end before {line!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()


class Chat(Case):
    def each(self):
        for self.model in MODELS + POOLS:
            with self.subTest(model=self.model), start("chat", ":0", model=self.model) as server:
                yield server, server.address()

    def test_what_is_said_in_a_room_is_heard_in_it(self):
        for server, address in self.each():
            with Member(address, "ann") as ann, Member(address, "bob") as bob:
                ann.expect("* bob is in lobby")
                ann.say("hello")
                bob.expect("ann: hello")
                bob.say("/join garden")
                ann.expect("* bob has left lobby")
                bob.expect("* bob has left lobby", "* bob is in garden")
                ann.say("nobody")
                bob.say("alone")
                ann.say("/join garden")
                ann.expect("* ann has left lobby", "* ann is in garden")
                bob.expect("* ann is in garden")
                bob.say("there you are")
                ann.expect("bob: there you are")
                ann.say("/quit")
                ann.expect("* ann has left garden", "* good-bye", None)
                bob.expect("* ann has left garden")
            server.ends_well()

    def test_everybody_hears_the_same_order(self):
        for server, address in self.each():
            members = [Member(address, f"m{n}") for n in range(5)]
            for n, member in enumerate(members):
                for other in range(n + 1, 5):
                    member.expect(f"* m{other} is in lobby")
            with Member(address, "listener") as listener:
                for number in range(8):
                    for member in members:
                        member.say(str(number))
                heard = [listener.line() for _ in range(40)]
                for member in members:
                    member.expect("* listener is in lobby")
                    mine = [line for line in heard if not line.startswith(member.name + ":")]
                    member.expect(*mine)
            for member in members:
                member.s.close()
            server.ends_well()

    def test_a_slow_reader_is_let_go_and_holds_nobody_up(self):
        for server, address in self.each():
            with Member(address, "quick") as quick, Member(address, "loud") as loud:
                quick.expect("* loud is in lobby")
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    s.settimeout(LIMIT)
                    host, _, port = address.rpartition(":")
                    s.connect((host, int(port)))
                    s.sendall(b"slow\n")
                    quick.until("* slow is in lobby")
                    loud.until("* slow is in lobby")
                    number = 0
                    while True:  # as much as all buffers on the way to the slow one hold
                        loud.say(f"{number} " + "x" * 900)
                        heard = quick.line()
                        if heard == "* slow has left lobby":
                            break
                        self.assertTrue(heard.startswith(f"loud: {number} "), heard[:40])
                        number += 1
                    self.assertGreater(number, 64)
            server.ends_well()

    def test_a_line_that_is_too_long_is_the_last(self):
        for server, address in self.each():
            with Member(address, "ann") as ann:
                ann.say("x" * 2000)
                ann.expect("* ann has left lobby", "* that line is too long", None)
            server.ends_well()

    def test_a_terminal_gets_no_escape_sequences(self):
        for server, address in self.each():
            with Member(address, "ann") as ann, Member(address, "bob") as bob:
                ann.expect("* bob is in lobby")
                bob.say("\x1b[2J")
                ann.expect(r"bob: \x1b[2J")
            server.ends_well()

    def test_a_stop_says_good_bye_to_each(self):
        for server, address in self.each():
            count = 10 if self.model == "blocking/pool" else 100  # it has 16 workers
            members = [Member(address, f"m{n}") for n in range(count)]
            for n, member in enumerate(members):
                for other in range(n + 1, count):
                    member.expect(f"* m{other} is in lobby")
            server.send(signal.SIGTERM)
            for member in members:
                member.until("* good-bye")
                member.expect(None)
                member.s.close()
            self.assertEqual(server.status(), 0)

    @tool("nc")
    def test_nc_is_a_member(self):
        for server, address in self.each():
            host, _, port = address.rpartition(":")
            with Member(address, "ann") as ann:
                done = subprocess.run(["nc", host, port], input=b"bob\r\nhello\r\n/quit\r\n",
                                      capture_output=True, timeout=LIMIT)
                ann.expect("* bob is in lobby", "bob: hello", "* bob has left lobby")
                self.assertEqual(done.stdout.splitlines()[-1], b"* good-bye")
            server.ends_well()


if __name__ == "__main__":
    main()
