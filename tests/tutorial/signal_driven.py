"""signal_driven: a signal ends the wait, and the copy is made by the program."""
from tutorial import *
from tutorial import Counted


@needs("signal")
class SignalDriven(Case):
    def test_a_signal_ends_the_first_phase(self):
        with Counted("signal_driven", 200) as server:
            address = server.address()
            self.assertRegex(server.line(), "phase 1, waiting: by signal.*phase 2, .*recv")
            with dial(address) as s:
                server.costs([s])  # with what the connection itself has cost
                threads, calls = server.costs([s])
                self.assertEqual(threads, 1)
                # Nothing else can have waited: no other call that waits was made for each line.
                each = sorted(name for name, count in calls.items() if count > 0.1)
                self.assertEqual(each, ["recv", "send", "sigtimedwait"])
                self.assertLess(abs(calls["recv"] - 1), 0.2)  # never in vain
                self.assertLess(abs(calls["send"] - 1), 0.2)
                self.assertGreater(calls["sigtimedwait"], 0.9)
                self.assertGreaterEqual(self.that_send_signals(server), 2)  # listener and client
            server.ends_well()

    def that_send_signals(self, server):
        """How many of its descriptors have O_ASYNC."""
        found = 0
        folder = f"/proc/{server.process.pid}/fdinfo"
        for name in os.listdir(folder):
            with open(f"{folder}/{name}") as info:
                flags = next(line for line in info if line.startswith("flags:"))
            found += bool(int(flags.split()[1], 8) & os.O_ASYNC)
        return found


if __name__ == "__main__":
    main()
