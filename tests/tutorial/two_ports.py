"""two_ports: one loop, a greeting for each of its listeners."""
import subprocess

from tutorial import *

FIRST, SECOND = "Good morning from the first port", "Good evening, second port"
ONE_THREAD = ["nonblocking", "select", "poll", "epoll", "signal", "io_uring"]  # not even helpers


class TwoPorts(Case):
    def test_each_port_has_its_greeting(self):
        for model in MODELS:
            with self.subTest(model=model), start(
                    "two_ports", "--listen", ":0", "--second", ":0", "--model", model) as server:
                first, second = server.address(), server.address()
                self.assertNotEqual(first, second)
                with dial(second) as evening, dial(first) as morning, dial(second) as late:
                    # All are connected at a time, and served in any order.
                    self.assertEqual(receive_line(late), SECOND)
                    self.assertEqual(receive_line(morning), FIRST)
                    self.assertEqual(receive_line(evening), SECOND)
                    self.assertEqual(ask(evening, "a"), "second: a")
                    self.assertEqual(ask(morning, "b"), "first: b")
                    self.assertEqual(ask(late, "c"), "second: c")
                    with dial(first) as another:
                        self.assertEqual(receive_line(another), FIRST)
                    if model in ONE_THREAD:
                        self.assertEqual(proc_field(server.process.pid, "status", "Threads"), 1)
                server.ends_well()

    def test_a_unix_path_is_a_port_too(self):
        path = "unix:" + self.folder() + "/second"
        with start("two_ports", "--listen", ":0", "--second", path) as server:
            first, second = server.address(), server.address()
            self.assertEqual(second, path)
            with dial(first) as morning, dial(second) as evening:
                self.assertEqual(receive_line(morning), FIRST)
                self.assertEqual(receive_line(evening), SECOND)
            server.ends_well()

    def test_the_second_one_in_use_is_one_line(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = subprocess.run(
                [PROGRAMS / "two_ports", "--listen", ":0", "--second",
                 "127.0.0.1:%d" % taken.getsockname()[1]],
                capture_output=True, text=True, timeout=20)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, r"\A.*in use.*\n\Z")


if __name__ == "__main__":
    main()
