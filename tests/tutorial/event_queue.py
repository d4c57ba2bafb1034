"""event_queue: events of another thread and clients, handled by one thread in one loop."""
import re
import subprocess

from tutorial import *

EVENT = re.compile(r"event (\d+): (?:click at (\d+),(\d+)|key ([a-z])), "
                   r"from thread (\d+), handled in thread (\d+)")
REPLY = re.compile(r'(.*): (\d+) clicks, typed "([a-z]*)", thread (\d+)')


class Events:
    """What the program says it has handled."""

    def __init__(self, server):
        self.server = server
        self.events, self.clicks, self.typed, self.makers, self.handlers = 0, 0, "", set(), set()

    def read_one(self):
        line = self.server.line()
        if not line:
            return False
        number, x, _, letter, made, handled = EVENT.fullmatch(line).groups()
        self.events += 1
        assert int(number) == self.events, f"event {self.events} is missing: {line}"
        assert (letter is not None) == (self.events % 3 == 0), line
        self.clicks += x is not None
        self.typed += letter or ""
        self.makers.add(made)
        self.handlers.add(handled)
        return True

    def read(self, count):
        """Until so many have come in all."""
        while self.events < count:
            assert self.read_one(), "it has ended"


class EventQueue(Case):
    def test_one_thread_handles_events_and_clients(self):
        for model in MODELS:
            if model.startswith("blocking"):
                continue
            with self.subTest(model=model), start(
                    "event_queue", "--listen", ":0", "--every-ms", "10", "--model",
                    model) as server:
                address, seen = server.address(), Events(server)
                with dial(address) as one, dial(address) as other, dial(address) as silent:
                    for client, wanted in (one, 5), (other, 10), (one, 15), (other, 20):
                        seen.read(wanted)
                        text, clicks, typed, thread = REPLY.fullmatch(ask(client, "so far")).groups()
                        self.assertEqual(text, "so far")
                        # The client hears of all that was handled before its line, and only that.
                        seen.read(int(clicks) + len(typed))
                        self.assertEqual((seen.clicks, seen.typed), (int(clicks), typed))
                        self.assertEqual(seen.handlers, {thread})
                    self.assertEqual(len(seen.makers), 1)
                    self.assertFalse(seen.makers & seen.handlers)
                    self.assertEqual(seen.handlers, {str(server.process.pid)})
                    server.ends_well()
                    while seen.read_one():  # none is lost at the end
                        pass
                    self.assertEqual(until_end(silent), b"")

    def test_clients_that_keep_the_loop_busy_do_not_keep_events_out(self):
        with start("event_queue", "--listen", ":0", "--every-ms", "5") as server:
            address, seen = server.address(), Events(server)
            with dial(address) as busy:
                while seen.events < 30:
                    busy.sendall(b"a\n" * 100)
                    for _ in range(100):
                        REPLY.fullmatch(receive_line(busy)).groups()
                    seen.read(seen.events + 1)
            server.ends_well()

    def test_no_clients_are_needed(self):
        with start("event_queue", "--listen", ":0", "--every-ms", "5") as server:
            server.address()
            Events(server).read(20)
            server.ends_well()

    def test_blocking_is_no_event_loop(self):
        done = subprocess.run([PROGRAMS / "event_queue", "--listen", ":0", "--model", "blocking"],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"\Ablocking is no event loop.*\n\Z")


if __name__ == "__main__":
    main()
