"""process_per_connection: a crash harms nobody else, at the price of a process each."""
import contextlib
import pathlib

from tutorial import *

CLIENTS = 200


def children(pid):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


class ProcessPerConnection(Case):
    def start(self):
        server = self.enterContext(
            start("process_per_connection", "--listen", ":0", prepare=no_core_file))
        return server, server.address()

    def test_clients_share_nothing(self):
        server, address = self.start()
        with dial(address) as first, dial(address) as second:
            self.assertEqual(ask(first, "a"), "1 A")
            self.assertEqual(ask(first, "b"), "2 B")
            self.assertEqual(ask(second, "c"), "1 C")
            self.assertEqual(ask(first, "d"), "3 D")
        server.ends_well()

    def test_a_crash_harms_nobody_else(self):
        server, address = self.start()
        with dial(address) as unlucky, dial(address) as other:
            self.assertEqual(ask(other, "before"), "1 BEFORE")
            self.assertEqual(ask(unlucky, "before"), "1 BEFORE")
            self.assertEqual(len(children(server.process.pid)), 2)
            unlucky.sendall(b"crash\n")
            self.assertEqual(until_end(unlucky), b"")
            # It was a real crash of a process of its own, and the parent says so.
            self.assertIn(f"signal {signal.SIGABRT.value}", server.line("stderr"))
            wait_until(lambda: len(children(server.process.pid)) == 1)
            self.assertEqual(ask(other, "after"), "2 AFTER")
            with dial(address) as third:
                self.assertEqual(ask(third, "new"), "1 NEW")
            self.assertEqual(server.process.poll(), None)
        server.ends_well()

    def test_the_cost_is_what_the_system_says(self):
        server, address = self.start()
        pid = server.process.pid
        with dial(address) as asking:
            with contextlib.ExitStack() as all_of_them:
                for _ in range(CLIENTS):
                    self.assertEqual(ask(all_of_them.enter_context(dial(address)), "a"), "1 A")
                n, processes, threads, kib, *each = COST.search(ask(asking, "cost")).groups()
                self.assertEqual((int(n), int(processes)), (CLIENTS + 1, CLIENTS + 2))
                self.assertEqual(int(threads), int(processes))
                self.assertEqual(len(children(pid)), CLIENTS + 1)
                everyone = [pid, *children(pid)]
                really = sum(proc_field(one, "smaps_rollup", "Pss_Anon") for one in everyone)
                self.assertTrue(0.7 < int(kib) / really < 1.4, f"{kib} KiB, not {really}")
                self.assertEqual([float(each[0]), float(each[1])], [1, 1])
                self.assertTrue(1 < float(each[2]) < int(kib) / CLIENTS, each[2])
            wait_until(lambda: COST.search(ask(asking, "cost"))[1] == "1")
        server.ends_well()


if __name__ == "__main__":
    main()
