"""cache: counts are served while new ones are made, and stay when the file is gone."""
from programs import *


class Cache(Case):
    def each(self, text):
        for model in MODELS:
            path = pathlib.Path(self.folder()) / "words"
            path.write_text(text)
            with self.subTest(model=model), \
                    start("cache", path, ":0", 0.05, model=model) as server:
                yield server, server.address(), path

    def ask(self, s, word):
        s.sendall(word.encode() + b"\r\n")
        return receive_line(s)

    def test_words_are_counted_again_and_again(self):
        for server, address, path in self.each("one two two\n"):
            with dial(address) as s:
                self.assertEqual([self.ask(s, w) for w in ("one", "two", "three")], ["1", "2", "0"])
                path.write_text("three three three")
                wait_until(lambda: self.ask(s, "three") == "3")
                self.assertEqual(self.ask(s, "one"), "0")
            server.ends_well()

    def test_the_old_counts_stay_while_new_ones_cannot_be_made(self):
        for server, address, path in self.each("one"):
            with dial(address) as s:
                self.assertEqual(self.ask(s, "one"), "1")
                path.unlink()
                wait_until(lambda: server.line("stderr") == f"cache: cannot read {path}")
                self.assertEqual(self.ask(s, "one"), "1")
                path.write_text("one one")
                wait_until(lambda: self.ask(s, "one") == "2")
            server.ends_well()

    @tool("nc")
    def test_nc_asks(self):
        for server, address, path in self.each("word " * 100_000):
            host, _, port = address.rpartition(":")
            done = subprocess.run(["nc", "-N", host, port], input=b"word\nother\n",
                                  capture_output=True, timeout=LIMIT)
            self.assertEqual(done.stdout, b"100000\n0\n")
            server.ends_well()

    def test_an_address_in_use(self):
        path = self.folder() + "/words"
        pathlib.Path(path).write_text("")
        with socket.create_server(("127.0.0.1", 0)) as taken, \
                start("cache", path, "127.0.0.1:%d" % taken.getsockname()[1]) as server:
            self.assertEqual(server.status(), 1)


if __name__ == "__main__":
    main()
