"""selectors_chat: names, notices, everybody gets everything, and nobody waits for the slow."""
import contextlib
import selectors
import threading

from tutorial import *

MANY = 200
WAVES = 14  # 300 KB for each: two queues of 64 KiB, and what the kernel keeps
LONG = "x" * 100


class Person:
    """Somebody with a name, who remembers all that he was shown."""

    def __init__(self, closed, address, name, receive_buffer=None):
        self.socket = closed.enter_context(socket.socket())
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        host, _, port = address.rpartition(":")
        self.socket.connect((host, int(port)))
        self.name = name
        self.shown = bytearray()
        self.lines = 0  # those that read_until() has read
        self.sees("your name? ", end="")
        self.say(name)

    def say(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def reads_on(self):
        """With room for much: TCP fills a small window slowly, now and then after a timer."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def sees(self, line, end="\n"):
        """Reads on until the line is there, and forgets it; what came before it."""
        wanted = (line + end).encode()
        searched = 0
        while (at := self.shown.find(wanted, max(0, searched - len(wanted)))) < 0:
            searched = len(self.shown)
            piece = self.socket.recv(65536)
            if not piece:
                raise AssertionError(f"{self.name} saw the end, and not {line[:40]!r}")
            self.shown += piece
        before = self.shown[:at].decode()
        del self.shown[:at + len(wanted)]
        return before


def read_until(people, enough):
    """All of them at once, until each has seen enough."""
    with selectors.DefaultSelector() as s:
        for person in people:
            if not enough(person):
                s.register(person.socket, selectors.EVENT_READ, person)
        while s.get_map():
            ready = s.select(20)
            if not ready:
                left = [key.data.name for key in s.get_map().values()]
                raise AssertionError(f"{len(left)} people wait in vain: {left[:5]}")
            for key, _ in ready:
                piece = key.fileobj.recv(65536)
                if not piece:
                    raise AssertionError(f"{key.data.name} was disconnected")
                key.data.shown += piece
                key.data.lines += piece.count(b"\n")
                if enough(key.data):
                    s.unregister(key.fileobj)


class SelectorsChat(Case):
    def on_every_model(self, conversation, *options):
        for model in MODELS:
            with self.subTest(model=model), contextlib.ExitStack() as closed, \
                    start("selectors_chat", "--listen", ":0", "--model", model, *options) as server:
                conversation(closed, server.address())
                server.ends_well()

    def test_names_notices_and_lines(self):
        self.on_every_model(self.names_notices_and_lines)

    def test_one_of_two_hundred_never_reads(self):
        self.on_every_model(self.two_hundred, "--queue", "65536")

    def test_who_talks_has_to_listen(self):
        self.on_every_model(self.a_flood)

    def names_notices_and_lines(self, closed, address):
        ann = Person(closed, address, "ann")
        self.assertEqual(ann.sees("* ann has joined, 1 here"), "")
        bob = Person(closed, address, "ann")  # taken
        self.assertEqual(bob.sees("another name? ", end=""), "")
        bob.say("bob")
        for person in ann, bob:
            self.assertEqual(person.sees("* bob has joined, 2 here"), "")
        bob.socket.sendall(b"two\nlines, and a ")  # a line is what ends in a newline
        for person in ann, bob:
            self.assertEqual(person.sees("<bob> two"), "")
        bob.socket.sendall(b"half\n")
        for person in ann, bob:
            self.assertEqual(person.sees("<bob> lines, and a half"), "")
        bob.socket.close()
        self.assertEqual(ann.sees("* bob has left"), "")
        again = Person(closed, address, "bob")  # the name is free again
        again.sees("* bob has joined, 2 here")
        ann.say("bye")
        ann.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(until_end(ann.socket).decode(),
                         "* bob has joined, 2 here\n<ann> bye\n* ann has left\n")
        self.assertEqual(again.sees("* ann has left"), "<ann> bye\n")

    def a_flood(self, closed, address):
        """One who does not read is read no more himself, so the others are not flooded."""
        bob = Person(closed, address, "bob")
        bob.sees("* bob has joined, 1 here")
        ann = Person(closed, address, "ann", receive_buffer=4096)
        for person in bob, ann:
            person.sees("* ann has joined, 2 here")
        lines = [f"{number} " + "y" * 900 for number in range(1000)]
        flood = threading.Thread(target=ann.say, args=["\n".join(lines)])
        flood.start()
        bob.sees("<ann> " + lines[0])
        while not is_silent(bob.socket, 0.2):
            bob.shown += bob.socket.recv(65536)
        self.assertLess(bob.shown.count(b"<ann>"), 200)
        bob.say("are you there?")  # others are heard all the same
        bob.sees("<bob> are you there?")
        ann.reads_on()
        heard = threading.Thread(target=ann.sees, args=["<ann> " + lines[-1]])
        heard.start()
        bob.sees("<ann> " + lines[-1])
        for thread in flood, heard:
            thread.join()

    def two_hundred(self, closed, address):
        deaf = Person(closed, address, "deaf", receive_buffer=4096)
        deaf.sees("* deaf has joined, 1 here")
        people = [Person(closed, address, f"n{i}") for i in range(MANY - 1)]
        all_here = f"{MANY} here\n".encode()
        read_until(people, lambda person: all_here in person.shown)
        for person in people:
            person.shown = person.shown.partition(all_here)[2]
            person.lines = 0
        # All speak at once, again and again.
        said = 0
        for wave in range(WAVES):
            for person in people:
                person.say(f"{wave:02} {LONG}")
            said += len(people)
            read_until(people, lambda person: person.lines >= said)
        notice = b"* deaf reads too slowly, and has to go\n"
        read_until(people, lambda person: person.lines > said)
        first = people[0].shown
        for person in people:
            self.assertEqual(person.shown == first, True, f"{person.name} saw something else")
        lines = bytes(first).splitlines(keepends=True)
        self.assertEqual(lines.count(notice), 1)
        lines.remove(notice)
        self.assertEqual(sorted(lines), sorted(f"<{p.name}> {wave:02} {LONG}\n".encode()
                                               for p in people for wave in range(WAVES)))
        # And what each of them said is in the order he said it in.
        self.assertEqual(sorted(lines, key=lambda line: line.split()[0]), sorted(lines))
        # Now he reads: nothing but whole lines, in the order of all, and the reason at the end.
        deaf.reads_on()
        got = until_end(deaf.socket)
        self.assertTrue(got.endswith(b"* you read too slowly, good-bye\n"), got[-100:])
        got = got.partition(all_here)[2].removesuffix(b"* you read too slowly, good-bye\n")
        self.assertTrue(first.startswith(got))
        self.assertLess(len(got), first.index(notice) + 1)


if __name__ == "__main__":
    main()
