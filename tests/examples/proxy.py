"""proxy: bytes and ends go through in both directions, and limits end a session."""
import hashlib

from programs import *


def digest(peer):
    """Answers when its client has ended its side, and not before."""
    peer.sendall(hashlib.sha256(until_end(peer)).hexdigest().encode())


def echo(peer):
    while some := peer.recv(65536):
        peer.sendall(some)


class Proxy(Case):
    def each(self, serve, *limits):
        for model in MODELS:
            with self.subTest(model=model), Server(serve) as server, \
                    start("proxy", ":0", server.address, *limits, model=model) as p:
                yield p, p.address()

    def test_the_answer_comes_after_the_end_of_the_question(self):
        question = os.urandom(3_000_000)
        for p, address in self.each(digest):
            with dial(address) as client:
                client.sendall(question)
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(until_end(client).decode(), hashlib.sha256(question).hexdigest())
            self.assertRegex(p.line(), r"^127\.0\.0\.1:\d+: 3000000 bytes up, 64 down$")
            p.ends_well()

    def through(self, command):
        question = b"".join(b"line %d\n" % n for n in range(50_000))
        for p, address in self.each(digest):
            host, _, port = address.rpartition(":")
            done = subprocess.run([word.format(host=host, port=port) for word in command],
                                  input=question, capture_output=True, timeout=LIMIT)
            self.assertEqual(done.stdout.decode(), hashlib.sha256(question).hexdigest())
            p.ends_well()

    @tool("nc")
    def test_nc_sends_and_ends(self):
        self.through(["nc", "-N", "{host}", "{port}"])

    @tool("socat")
    def test_socat_sends_and_ends(self):
        self.through(["socat", "-t", "20", "-", "TCP:{host}:{port}"])

    def test_many_talk_at_a_time(self):
        for p, address in self.each(echo):
            clients = [dial(address) for _ in range(50)]
            for n, client in enumerate(clients):
                client.sendall(b"client %d\n" % n)
            for n, client in enumerate(clients):
                self.assertEqual(receive_line(client), f"client {n}")
                client.close()
            p.ends_well()

    def test_a_server_that_ends_first_leaves_the_other_direction_open(self):
        got = []

        def greet(peer):
            peer.sendall(b"hello\n")
            peer.shutdown(socket.SHUT_WR)
            got.append(until_end(peer))

        for p, address in self.each(greet):
            with dial(address) as client:
                self.assertEqual(until_end(client), b"hello\n")
                client.sendall(b"still here")
            self.assertRegex(p.line(), r": 10 bytes up, 6 down$")
            wait_until(lambda: got)
            self.assertEqual(got.pop(), b"still here")
            p.ends_well()

    def test_a_reset_ends_both_sides(self):
        for p, address in self.each(lambda peer: (receive_line(peer), reset(peer))):
            with dial(address) as client:
                client.sendall(b"go\n")
                try:
                    self.assertEqual(until_end(client), b"")
                except ConnectionResetError:
                    pass
            self.assertRegex(p.line(), r": 3 bytes up, 0 down: Connection reset by peer$")
            p.ends_well()

    def test_an_idle_session_ends(self):
        for p, address in self.each(echo, 0.2):
            with dial(address) as client:
                client.sendall(b"hello")
                until_end(client)
            self.assertRegex(p.line(), r": Connection timed out$")
            p.ends_well()

    def test_a_busy_session_ends_at_its_limit(self):
        for p, address in self.each(echo, 10, 0.3):
            with dial(address) as client:
                try:
                    while True:
                        client.sendall(b"x")
                        if not client.recv(1):
                            break
                except ConnectionError:
                    pass  # it was not idle when it was cut
            self.assertRegex(p.line(), r": Connection timed out$")
            p.ends_well()

    def test_a_server_that_is_not_there(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            nowhere = "127.0.0.1:%d" % free.getsockname()[1]
        for model in MODELS:
            with self.subTest(model=model), start("proxy", ":0", nowhere, model=model) as p:
                with dial(p.address()) as client:
                    self.assertEqual(until_end(client), b"")
                self.assertRegex(p.line(), f": cannot reach {nowhere}: Connection refused$")
                p.ends_well()

    def test_it_says_what_it_needs(self):
        with start("proxy") as p:
            self.assertEqual((p.status(), p.line("stderr")[:6]), (1, "proxy:"))


if __name__ == "__main__":
    main()
