"""framing: whole messages, whatever the cuts; and what goes wrong without."""
import struct

from tutorial import *


def framed(message):
    return struct.pack(">I", len(message)) + message


def next_message(s):
    return receive(s, struct.unpack(">I", receive(s, 4))[0])


class Framing(Case):
    def test_messages_are_whole_on_every_model(self):
        long = b"x" * 300_000
        for model in MODELS:
            with self.subTest(model=model), \
                    start("framing", "--listen", ":0", "--model", model) as server:
                with dial(server.address()) as s:
                    s.sendall(framed(b"one") + framed(b"") + framed(b"three"))  # glued
                    self.assertEqual([next_message(s) for _ in range(3)], [b"ONE", b"", b"THREE"])
                    for byte in framed(b"cut"):
                        s.sendall(bytes([byte]))
                    self.assertEqual(next_message(s), b"CUT")
                    s.sendall(framed(long))
                    self.assertEqual(next_message(s), long.upper())
                    said = [server.line() for _ in range(5)]
                    self.assertEqual(said, [f"a message of {n} bytes"
                                            for n in (3, 0, 5, 3, 300_000)])
                server.ends_well()

    def test_a_message_that_is_too_long_or_cut_short_ends_its_connection_only(self):
        with start("framing", "--listen", ":0") as server:
            address = server.address()
            with dial(address) as s:
                s.sendall(struct.pack(">I", (1 << 20) + 1))
                self.assertEqual(until_end(s), b"")
            self.assertRegex(server.line(), "[Mm]essage too long")
            with dial(address) as s:
                s.sendall(framed(b"whole")[:6])
                s.shutdown(socket.SHUT_WR)
                self.assertEqual(until_end(s), b"")
            self.assertRegex(server.line(), "within a message")
            with dial(address) as s:
                s.sendall(framed(b"next"))
                self.assertEqual(next_message(s), b"NEXT")
            server.ends_well()

    def test_without_frames_messages_are_glued_and_cut(self):
        with start("framing", "--listen", ":0", "--without-frames") as server:
            with dial(server.address()) as s:
                s.sendall(b"one" + b"two")
                self.assertEqual(receive(s, 6), b"onetwo")
                self.assertEqual(server.line(), "a receive of 6 bytes")
                s.sendall(b"x" * 10_000)
                self.assertEqual(len(receive(s, 10_000)), 10_000)
                self.assertLess(int(server.line().split()[3]), 10_000)
            server.ends_well()


if __name__ == "__main__":
    main()
