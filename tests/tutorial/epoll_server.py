"""epoll_server: level, edge, oneshot, and the trap of each."""
import re

from tutorial import *

PIECE = 16
MESSAGE = bytes(range(100))  # seven pieces


class EpollServer(Case):
    def run_with(self, *arguments):
        server = self.enterContext(start("epoll_server", "--listen", ":0", *arguments))
        return server, server.address()

    def counts(self, *arguments):
        """What the server says of a client that has sent one message and left."""
        server, address = self.run_with(*arguments)
        with dial(address) as s:
            s.sendall(MESSAGE)
            self.assertEqual(receive(s, len(MESSAGE)), MESSAGE)
            self.assertTrue(is_silent(s, 0.1))
        line = server.line()
        match = re.fullmatch(r"client 1 has left: (\d+) reports, (\d+) receives, "
                             r"armed again (\d+) times", line)
        self.assertTrue(match, line)
        server.ends_well()
        return [int(number) for number in match.groups()]

    def test_level_reports_as_long_as_something_is_there(self):
        for trap in [], ["--trap"]:  # there is none
            reports, receives, armed_again = self.counts("--trigger", "level", *trap)
            self.assertGreaterEqual(reports, 8)  # seven pieces and the end
            self.assertEqual(receives, reports)
            self.assertEqual(armed_again, 0)

    def test_edge_reports_once_and_is_drained(self):
        reports, receives, armed_again = self.counts("--trigger", "edge")
        self.assertEqual(reports, 2)  # the message and the end
        self.assertGreaterEqual(receives, 9)  # seven pieces, "nothing", and the end
        self.assertEqual(armed_again, 0)

    def test_oneshot_is_armed_again_for_each_piece(self):
        reports, receives, armed_again = self.counts("--trigger", "oneshot")
        self.assertGreaterEqual(reports, 8)
        self.assertEqual(receives, reports)
        self.assertEqual(armed_again, reports - 1)

    def test_the_trap_of_edge_leaves_the_rest_behind(self):
        server, address = self.run_with("--trigger", "edge", "--trap")
        with dial(address) as s, dial(address) as other:
            s.sendall(MESSAGE)
            self.assertEqual(receive(s, PIECE), MESSAGE[:PIECE])
            self.assertTrue(is_silent(s), "it was told of the rest")
            s.sendall(b"!")  # only what comes next shows some more of what has come
            self.assertEqual(receive(s, PIECE), MESSAGE[PIECE:2 * PIECE])
            self.assertTrue(is_silent(s))
            other.sendall(b"short")  # who fits into one piece does not see the trap
            self.assertEqual(receive(other, 5), b"short")
            s.shutdown(socket.SHUT_WR)  # even the end is not seen behind the rest
            self.assertEqual(receive(s, PIECE), MESSAGE[2 * PIECE:3 * PIECE])
            self.assertTrue(is_silent(s))
        server.ends_well()

    def test_the_trap_of_oneshot_is_silence(self):
        server, address = self.run_with("--trigger", "oneshot", "--trap")
        with dial(address) as s, dial(address) as other:
            s.sendall(MESSAGE)
            self.assertEqual(receive(s, PIECE), MESSAGE[:PIECE])
            s.sendall(b"!")
            self.assertTrue(is_silent(s), "it was reported again")
            other.sendall(b"short")
            self.assertEqual(receive(other, 5), b"short")
        server.ends_well()

    def test_another_trigger_is_refused_in_one_line(self):
        server = self.enterContext(start("epoll_server", "--listen", ":0", "--trigger", "hair"))
        self.assertEqual(server.line("stderr"), "--trigger is level, edge or oneshot")
        self.assertEqual(server.status(), 1)


if __name__ == "__main__":
    main()
