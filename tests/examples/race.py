"""race: the first address that answers, beside those that refuse and those that say nothing."""
from programs import *


def upper(peer):
    peer.sendall(receive_line(peer).upper().encode() + b"\n")


class Silent:
    """An address that lets nobody in: its queue is full, and the kernel drops what comes."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.queued = []
        for _ in range(8):  # until one has to wait
            s = socket.socket()
            s.settimeout(0.3)
            self.queued.append(s)
            try:
                s.connect(self.listener.getsockname())
            except TimeoutError:
                return self
        raise AssertionError("the queue is never full")

    def __exit__(self, *_):
        for s in (self.listener, *self.queued):
            s.close()


class Race(Case):
    def run_race(self, *names, model):
        done = subprocess.run([PROGRAMS / "race", *names], text=True, capture_output=True,
                              env=program.environment(IOLITE_MODEL=model.split("/")[0]),
                              timeout=2 * LIMIT)
        return done.returncode, done.stdout, done.stderr

    def closed(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            return "127.0.0.1:%d" % free.getsockname()[1]

    def won(self, address, *names, model):
        status, out, err = self.run_race(*names, model=model)
        self.assertEqual((status, err), (0, ""))
        match = re.fullmatch(rf"connected to {re.escape(address)} after (\d+) ms\nHELLO\n", out)
        self.assertTrue(match, out)
        return int(match[1])

    def test_the_first_one_is_taken(self):
        for model in MODELS:
            with self.subTest(model=model), Server(upper) as first, Server(upper) as second:
                self.won(first.address, first.address, second.address, model=model)
                self.assertEqual(second.connections, 0)

    def test_after_those_that_refuse(self):
        for model in MODELS:
            with self.subTest(model=model), Server(upper) as server:
                closed = [self.closed() for _ in range(3)]
                self.won(server.address, *closed, server.address, model=model)

    def test_after_one_that_says_nothing(self):
        for model in MODELS:
            with self.subTest(model=model), Silent() as silent, Server(upper) as server:
                waited = self.won(server.address, silent.address, server.address, model=model)
                self.assertGreaterEqual(waited, 250)

    def test_when_none_answers(self):
        for model in MODELS:
            with self.subTest(model=model):
                self.assertEqual(self.run_race(self.closed(), self.closed(), model=model),
                                 (1, "", "iolite: Connection refused\n"))

    def test_a_name(self):
        for model in MODELS:
            with self.subTest(model=model), Server(upper) as server:
                port = server.address.rpartition(":")[2]
                self.won(server.address, f"localhost:{port}", model=model)

    def test_no_name(self):
        status, out, err = self.run_race("nonsense", model="epoll")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("race: nonsense is no HOST:PORT that is known\n", err)


if __name__ == "__main__":
    main()
