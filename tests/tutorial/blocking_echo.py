"""blocking_echo: one client at a time."""
from tutorial import *


class BlockingEcho(Case):
    def test_a_second_client_waits_until_the_first_has_left(self):
        with start("blocking_echo", "--listen", ":0") as server:
            address = server.address()
            with dial(address) as first, dial(address) as second:
                first.sendall(b"one")
                self.assertEqual(receive(first, 3), b"one")
                second.sendall(b"two")
                self.assertTrue(is_silent(second), "served beside the first")
                first.sendall(b"three")  # the first one is served all the while
                self.assertEqual(receive(first, 5), b"three")
                first.close()
                self.assertEqual(receive(second, 3), b"two")
            server.ends_well()


if __name__ == "__main__":
    main()
