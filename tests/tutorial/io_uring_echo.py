"""io_uring_echo: the kernel waits and copies; one call for many of both."""
from tutorial import *
from tutorial import Counted


class IoUringEcho(Case):
    def counted(self, every):
        """Where io_uring is forbidden one line says so, and nothing else can be tested."""
        server = self.enterContext(Counted("io_uring_echo", every))
        first = server.line()
        if first == "":
            self.assertEqual(server.status(), 1)
            why = server.rest("stderr")
            self.assertRegex(why, r"\A.*io_uring.*\n\Z")
            self.skipTest(why)
        self.assertRegex(server.line(), "phase 1, waiting, and phase 2, copying: the kernel")
        return server, first.split()[2]

    def only_enters(self, calls):
        self.assertIn("io_uring_enter", calls)
        others = [n for n, count in calls.items() if count > 0.1 and n != "io_uring_enter"]
        self.assertEqual(others, [])

    def test_the_kernel_makes_both_phases(self):
        server, address = self.counted(200)
        with dial(address) as s:
            server.costs([s])
            _, calls = server.costs([s])
            self.only_enters(calls)
            self.assertLess(calls["io_uring_enter"], 2.5)
        server.ends_well()

    def test_one_call_serves_many(self):
        server, address = self.counted(2000)
        clients = [self.enterContext(dial(address)) for _ in range(40)]
        server.costs(clients)
        _, calls = server.costs(clients)
        self.only_enters(calls)
        self.assertLess(calls["io_uring_enter"], 1.2)  # of two operations
        server.ends_well()


if __name__ == "__main__":
    main()
