"""select_server: a read list, and what ends at descriptor 1,024."""
from tutorial import *
from tutorial import reset, start_crowded


class SelectServer(Case):
    def test_all_on_the_list_are_served(self):
        with start("select_server", "--listen", ":0") as server:
            address = server.address()
            with dial(address) as first, dial(address) as second:
                for s, text in ((second, b"2"), (first, b"1"), (second, b"22")):
                    s.sendall(text)
                    self.assertEqual(receive(s, len(text)), text)
                self.assertEqual(server.line(), "client 1 has come, the read list has 2")
                self.assertEqual(server.line(), "client 2 has come, the read list has 3")
            server.ends_well()

    def test_who_leaves_is_taken_off_the_list(self):
        with start("select_server", "--listen", ":0") as server:
            address = server.address()
            with dial(address) as stays:
                server.line()
                with dial(address):
                    server.line()
                self.assertEqual(server.line(), "client 2 has left")
                reset(dial(address))
                server.line()
                self.assertEqual(server.line(), "client 3 was reset")
                with dial(address) as new:  # the same descriptor again
                    self.assertEqual(server.line(), "client 4 has come, the read list has 3")
                    for s in stays, new:
                        s.sendall(b"still here")
                        self.assertEqual(receive(s, 10), b"still here")
            server.ends_well()

    def test_who_does_not_read_holds_nobody_up(self):
        with start("select_server", "--listen", ":0") as server:
            address = server.address()
            with dial(address) as deaf, dial(address) as other:
                server.line(), server.line()
                try:
                    for _ in range(100_000):  # far more than the kernel keeps
                        deaf.sendall(bytes(4096))
                except ConnectionError:
                    pass
                self.assertEqual(server.line(), "client 1 does not read its answers")
                other.sendall(b"me too")
                self.assertEqual(receive(other, 6), b"me too")
            server.ends_well()

    def test_descriptor_1024_is_refused_and_the_others_live_on(self):
        with start_crowded("select_server", 1024 - 30) as server:
            address = server.address()
            clients = []
            while "refused" not in (line := server.dialled(clients, address)):
                self.assertIn("has come", line)
                self.assertLess(len(clients), 40)
            self.assertGreater(len(clients), 10)
            self.assertRegex(line, r"is refused: select cannot watch descriptor 1024: \w+")
            with clients.pop() as refused:
                self.assertEqual(until_end(refused), b"")
            for s in clients:
                s.sendall(b"alive")
                self.assertEqual(receive(s, 5), b"alive")
            clients.pop().close()
            self.assertRegex(server.line(), "has left")  # and one may come in its place
            self.assertRegex(server.dialled(clients, address), "has come")
            clients[-1].sendall(b"welcome")
            self.assertEqual(receive(clients[-1], 7), b"welcome")
            server.ends_well()
            for s in clients:
                s.close()

    def test_no_descriptor_at_all_is_refused_as_well(self):
        with start_crowded("select_server", 980, limit=1000) as server:
            address = server.address()
            clients = []
            while "refused" not in (line := server.dialled(clients, address)):
                self.assertLess(len(clients), 40)
            self.assertEqual(line, "a client is refused: no descriptor is free")
            with clients.pop() as refused:
                self.assertEqual(until_end(refused), b"")
            for s in clients:
                with s:
                    s.sendall(b"alive")
                    self.assertEqual(receive(s, 5), b"alive")
            server.ends_well()


if __name__ == "__main__":
    main()
