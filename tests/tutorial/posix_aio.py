"""posix_aio: poll says when, a helper copies, and says when it has."""
from tutorial import *
from tutorial import Counted


@needs("posix_aio")
class PosixAio(Case):
    def test_a_helper_makes_the_second_phase(self):
        with Counted("posix_aio", 200) as server:
            address = server.address()
            self.assertRegex(server.line(), "phase 1, waiting: our own poll; phase 2, .*helper")
            with dial(address) as s:
                server.costs([s])
                threads, calls = server.costs([s])
                self.assertGreater(threads, 1)
                for name in "aio_read", "aio_write":
                    self.assertLess(abs(calls[name] - 1), 0.2)
                for name in "poll", "aio_suspend", "aio_error", "aio_return":
                    self.assertGreater(calls[name], 0.5)
                for name in "recv", "send", "select", "epoll_wait":
                    self.assertLess(calls.get(name, 0), 0.1)
            server.ends_well()

    def test_silent_clients_hold_no_helper(self):
        with Counted("posix_aio", 50) as server:
            address = server.address()
            server.line()
            silent = [dial(address) for _ in range(50)]
            with dial(address) as s:
                threads, _ = server.costs([s])
                self.assertLess(threads, 25)
            for s in silent:
                s.close()
            server.ends_well()


if __name__ == "__main__":
    main()
