"""thread_pool: as many clients at a time as there are workers, and the next one waits."""
import contextlib
import subprocess

from tutorial import *


class ThreadPool(Case):
    def test_client_n_plus_1_waits_for_a_worker(self):
        for workers in 1, 3:
            with self.subTest(workers=workers), contextlib.ExitStack() as all_of_them:
                server = all_of_them.enter_context(
                    start("thread_pool", "--listen", ":0", "--workers", str(workers)))
                address = server.address()
                served = {}  # by the number of the worker
                for _ in range(workers):
                    client = all_of_them.enter_context(dial(address))
                    served[receive_line(client)] = client
                self.assertEqual(
                    set(served), {f"worker {i + 1} of {workers}" for i in range(workers)})
                for client in served.values():  # all of them at a time
                    client.sendall(b"he")
                for client in served.values():
                    self.assertEqual(ask(client, "llo"), "HELLO")

                waiting = all_of_them.enter_context(dial(address))
                last = all_of_them.enter_context(dial(address))
                waiting.sendall(b"first\n")
                last.sendall(b"second\n")
                self.assertTrue(is_silent(waiting), "there was one worker more")
                threads = proc_field(server.process.pid, "status", "Threads")
                for client in served.values():  # served all the while
                    self.assertEqual(ask(client, "still"), "STILL")

                # Whoever is freed takes the next in line: the same threads, again and again.
                freed, leaving = served.popitem()
                leaving.close()
                self.assertEqual(receive_line(waiting), freed)
                self.assertEqual(receive_line(waiting), "FIRST")
                self.assertTrue(is_silent(last))
                waiting.close()
                self.assertEqual(receive_line(last), freed)
                self.assertEqual(receive_line(last), "SECOND")
                self.assertEqual(proc_field(server.process.pid, "status", "Threads"), threads)
                server.ends_well()

    def test_no_workers_is_wrong_usage(self):
        for wrong in "0", "-1":
            done = subprocess.run([PROGRAMS / "thread_pool", "--listen", ":0", "--workers", wrong],
                                  capture_output=True, text=True, timeout=20)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, r"\A.*--workers.*\n\Z")


if __name__ == "__main__":
    main()
