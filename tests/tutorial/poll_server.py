"""poll_server: a read list without a limit of its own."""
from tutorial import *
from tutorial import reset, start_crowded


class PollServer(Case):
    def test_it_has_no_list_in_the_kernel(self):
        with start("poll_server", "--listen", ":0") as server:
            server.address()
            folder = f"/proc/{server.process.pid}/fd"
            files = [os.readlink(f"{folder}/{name}") for name in os.listdir(folder)]
            self.assertNotIn("anon_inode:[eventpoll]", files)
            server.ends_well()

    def test_who_leaves_is_taken_off_the_list(self):
        with start("poll_server", "--listen", ":0") as server:
            address = server.address()
            with dial(address) as stays:
                self.assertEqual(server.line(), "client 1 has come, the read list has 2")
                with dial(address):
                    self.assertEqual(server.line(), "client 2 has come, the read list has 3")
                self.assertEqual(server.line(), "client 2 has left")
                reset(dial(address))
                server.line()
                self.assertEqual(server.line(), "client 3 was reset")
                with dial(address) as new:
                    self.assertEqual(server.line(), "client 4 has come, the read list has 3")
                    for s in stays, new:
                        s.sendall(b"still here")
                        self.assertEqual(receive(s, 10), b"still here")
            server.ends_well()

    def test_descriptors_above_1024_are_served(self):
        with start_crowded("poll_server", 1024) as server:  # every client's is larger
            address = server.address()
            clients = []
            for _ in range(50):
                self.assertRegex(server.dialled(clients, address), "has come")
            for s in clients:
                s.sendall(b"served")
            for s in clients:
                with s:
                    self.assertEqual(receive(s, 6), b"served")
            server.ends_well()


if __name__ == "__main__":
    main()
