"""selectors_server: callbacks hang on the descriptors."""
from tutorial import *


class SelectorsServer(Case):
    def test_answers_in_upper_case(self):
        with start("selectors_server", "--listen", ":0") as server:
            address = server.address()
            self.assertRegex(server.line(), r"\Athe best selector here: (epoll|kqueue)\Z")
            with dial(address) as one, dial(address) as two:
                for s, text, answer in ((two, b"hello\n", b"HELLO_SB\n"), (one, b"x1", b"X1_SB"),
                                        (two, b"a\nb\n", b"A_SB\nB_SB\n"), (one, b"Ab", b"AB_SB")):
                    s.sendall(text)
                    self.assertEqual(receive(s, len(answer)), answer)
                    self.assertTrue(is_silent(s, 0.02))
            server.ends_well()

    def test_the_end_of_a_client_is_answered_with_its_own(self):
        with start("selectors_server", "--listen", ":0") as server:
            address = server.address()
            with dial(address) as one, dial(address) as other:
                one.sendall(b"last")
                one.shutdown(socket.SHUT_WR)
                self.assertEqual(until_end(one), b"LAST_SB")
                other.sendall(b"on")
                self.assertEqual(receive(other, 5), b"ON_SB")
            server.ends_well()


if __name__ == "__main__":
    main()
