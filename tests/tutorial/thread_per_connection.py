"""thread_per_connection: nobody waits for another, at the price of a thread each."""
import contextlib
import select

from tutorial import *

CLIENTS = 300


class ThreadPerConnection(Case):
    def start(self):
        server = self.enterContext(
            start("thread_per_connection", "--listen", ":0", prepare=no_core_file))
        return server, server.address()

    def test_a_line_in_pieces_is_one_line(self):
        server, address = self.start()
        with dial(address) as client:
            for piece in b"o", b"ne\r", b"\ntwo\nthr":
                client.sendall(piece)
            self.assertEqual([receive_line(client), receive_line(client)], ["ONE", "TWO"])
            self.assertEqual(ask(client, "ee"), "THREE")
        server.ends_well()

    def test_a_thread_that_is_held_holds_nobody_else(self):
        server, address = self.start()
        with contextlib.ExitStack() as all_of_them:
            sleepers = [all_of_them.enter_context(dial(address)) for _ in range(30)]
            awake = all_of_them.enter_context(dial(address))
            begin = time.monotonic()
            for sleeper in sleepers:
                sleeper.sendall(b"sleep\n")
            awake.sendall(b"awake\n")
            ready = select.select([awake, *sleepers], [], [], 20)[0]
            self.assertEqual(ready, [awake], "it waited for the sleepers")
            self.assertEqual(receive_line(awake), "AWAKE")
            for sleeper in sleepers:
                self.assertEqual(receive_line(sleeper), "SLEEP")
            took = time.monotonic() - begin
            self.assertTrue(1 <= took < 30, f"30 sleeps of a second took {took:.1f} s")
        server.ends_well()

    def test_an_exception_ends_one_connection(self):
        server, address = self.start()
        with dial(address) as unlucky, dial(address) as other:
            self.assertEqual(ask(other, "before"), "BEFORE")
            unlucky.sendall(b"throw\n")
            self.assertEqual(until_end(unlucky), b"")
            self.assertIn("a client asked for it", server.line("stderr"))
            self.assertEqual(ask(other, "after"), "AFTER")
        server.ends_well()

    def test_a_crash_is_everyones(self):
        server, address = self.start()
        with dial(address) as unlucky, dial(address) as other:
            self.assertEqual(ask(other, "before"), "BEFORE")
            unlucky.sendall(b"crash\n")
            self.assertEqual(until_end(other), b"")
            self.assertEqual(server.status(), 128 + signal.SIGABRT)

    def test_the_cost_is_what_the_system_says(self):
        server, address = self.start()
        pid = server.process.pid
        with dial(address) as asking:
            alone = proc_field(pid, "status", "Threads")
            with contextlib.ExitStack() as all_of_them:
                for _ in range(CLIENTS):
                    self.assertEqual(ask(all_of_them.enter_context(dial(address)), "a"), "A")
                n, processes, threads, memory, *each = COST.fullmatch(ask(asking, "cost")).groups()
                self.assertEqual((int(n), int(processes)), (CLIENTS + 1, 1))
                self.assertEqual(int(threads), proc_field(pid, "status", "Threads"))
                self.assertGreaterEqual(int(threads), alone + CLIENTS)
                really = proc_field(pid, "smaps_rollup", "Pss_Anon")
                self.assertTrue(0.7 < int(memory) / really < 1.4, f"{memory} KiB, not {really}")
                self.assertEqual([float(each[0]), float(each[1])], [0, 1])
                self.assertTrue(1 < float(each[2]) < int(memory) / CLIENTS, each[2])
            wait_until(lambda: COST.match(ask(asking, "cost"))[1] == "1")
            wait_until(lambda: proc_field(pid, "status", "Threads") <= alone + 1)
        server.ends_well()


if __name__ == "__main__":
    main()
