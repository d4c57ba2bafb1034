"""What is written for programs: the members of the JSON are a contract."""
from command import *

ROW = {"model", "workload", "requests", "seconds", "requests_per_second", "latency_us", "server",
       "errors"}
LATENCY = {"p50", "p90", "p99", "p99_9", "max"}
SERVER = {"cpu_us_per_request", "user_us_per_request", "sys_us_per_request",
          "syscalls_per_request", "context_switches_per_request", "rss_bytes", "threads"}


class Models(Case):
    def test_json(self):
        done = run("models", "--json", "-")
        self.assertEqual((done.status, done.err), (0, ""))
        rows = done.json()
        for row in rows:
            self.assertEqual(set(row), {"model", "engine", "placement", "shape", "available",
                                        "reason", "features"})
            self.assertEqual(row["model"], row["engine"] + "/" + row["placement"])
            self.assertIn(row["shape"], ("blocking", "readiness", "completion"))
            self.assertEqual(row["available"], row["reason"] == "", row)
            self.assertIsInstance(row["features"], list)
        names = [row["model"] for row in rows]
        self.assertEqual(len(names), len(set(names)))
        for name in ("blocking/thread", "poll/shared", "epoll/shared", "io_uring/pool"):
            self.assertIn(name, names)

    def test_the_table_has_a_line_for_each(self):
        lines = run("models").out.splitlines()
        rows = run("models", "--json", "-").json()
        self.assertEqual([line.split()[0] for line in lines[1:]], [r["model"] for r in rows])

    def test_a_file_is_replaced_whole(self):
        folder = self.folder()
        path = folder + "/models.json"
        with open(path, "w") as file:
            file.write("x" * 1_000_000)
        self.assertEqual(run("models", "--json", path).status, 0)
        with open(path) as file:
            self.assertIsInstance(json.load(file), list)
        self.assertEqual(os.listdir(folder), ["models.json"])  # no temporary name is left


class Doctor(Case):
    def test_text_and_json_say_the_same(self):
        done = run("doctor")
        self.assertEqual((done.status, done.err), (0, ""))
        rows = run("doctor", "--json", "-").json()
        for row in rows:
            self.assertEqual(set(row), {"what", "found", "state", "remedy"})
            self.assertIn(row["state"], ("ok", "limited", "missing"))
            self.assertIn(row["what"], done.out)
            if row["state"] == "missing":
                self.assertNotEqual(row["remedy"], "", row)
        whats = " ".join(row["what"] for row in rows)
        for word in ("kernel", "cores", "memory", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK",
                     "RLIMIT_SIGPENDING", "somaxconn", "ip_local_port_range", "io_uring_disabled",
                     "seccomp", "container", "real-time signals", "SO_REUSEPORT",
                     "engine epoll", "engine io_uring", "auto takes"):
            self.assertIn(word, whats)


class Bench(Case):
    def bench(self, *arguments):
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            done = run("bench", s.address(), "--json", "-", *arguments)
        self.assertEqual((done.status, done.err), (0, ""))
        row = done.json()
        self.assertEqual(set(row), ROW)
        self.assertEqual(set(row["latency_us"]), LATENCY)
        self.assertEqual(set(row["server"]), SERVER)
        self.assertEqual(row["errors"], 0)
        latency = [row["latency_us"][key] for key in ("p50", "p90", "p99", "p99_9", "max")]
        self.assertEqual(latency, sorted(latency))
        self.assertGreater(latency[0], 0)
        return row

    def test_so_many_requests(self):
        for more in ([], ["--depth", "7"], ["--size", "100KiB"], ["--size", "1MiB", "--depth", "3"],
                     ["--connections", "3"], ["--size", "1"]):
            with self.subTest(more=more):
                row = self.bench("--requests", "500", *more)
                self.assertEqual(row["requests"], 500)

    def test_a_duration(self):
        row = self.bench("--duration", "300ms", "--connections", "8")
        self.assertGreaterEqual(row["seconds"], 0.3)
        self.assertAlmostEqual(row["requests_per_second"], row["requests"] / row["seconds"],
                               delta=1)

    def test_a_rate_is_kept(self):
        row = self.bench("--duration", "1s", "--connections", "8", "--rate", "400/s")
        self.assertLess(row["requests_per_second"], 440)
        self.assertGreater(row["requests_per_second"], 200)

    def test_a_server_that_answers_something_else(self):
        with serve("upper", "--model", "epoll", "--listen", ":0") as s:
            done = run("bench", s.address(), "--duration", "200ms")
        self.assertEqual(done.status, 1)
        self.one_line(done.err, "does this server echo")

    def test_a_server_that_goes_away(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with Running("bench", ":%d" % listener.getsockname()[1], "--connections", "1",
                         "--duration", "10s") as c:
                peer, _ = listener.accept()
                peer.settimeout(20)
                for _ in range(3):
                    peer.sendall(receive(peer, 64))
                receive(peer, 64)
                peer.close()
                self.assertEqual(c.status(), 1)
                self.assertRegex(c.line("stderr"), "^iolite: .*closed the connection")


class Compare(Case):
    def check(self, row, model):
        self.assertLessEqual(ROW, set(row))
        self.assertEqual(row["model"], model)
        self.assertEqual(set(row["latency_us"]), LATENCY)
        self.assertEqual(set(row["server"]), SERVER)
        self.assertEqual(row["errors"], 0)
        self.assertGreater(row["requests"], 0)
        for name in SERVER:
            self.assertGreaterEqual(row["server"][name], 0, name)
        self.assertGreater(row["server"]["cpu_us_per_request"], 0)
        self.assertGreater(row["server"]["syscalls_per_request"], 0)
        self.assertGreater(row["server"]["rss_bytes"], 100_000)
        self.assertGreaterEqual(row["server"]["threads"], 1)

    def test_two_models_as_json(self):
        for workload in ("echo", "churn"):
            with self.subTest(workload=workload):
                done = run("compare", "--models", "epoll,blocking/thread", "--duration", "300ms",
                           "--rounds", "1", "--workload", workload, "--json", "-", limit=60)
                self.assertEqual(done.status, 0, done.err)
                rows = done.json()
                self.assertEqual(len(rows), 2)
                self.check(rows[0], "epoll/shared")
                self.check(rows[1], "blocking/thread")
                self.assertTrue(all(row["workload"] == workload for row in rows))

    def test_processes_are_counted_together(self):
        done = run("compare", "--models", "blocking/process", "--duration", "500ms",
                   "--connections", "6", "--rounds", "1", "--json", "-", limit=60)
        self.assertEqual(done.status, 0, done.err)
        row = done.json()[0]
        self.check(row, "blocking/process")
        self.assertGreaterEqual(row["server"]["threads"], 7)
        self.assertGreater(row["server"]["syscalls_per_request"], 1.5)  # recv and send

    def test_a_table_with_a_winner(self):
        done = run("compare", "--models", "poll,epoll", "--duration", "200ms", "--rounds", "1",
                   limit=60)
        self.assertEqual(done.status, 0, done.err)
        self.assertRegex(done.out, r"(?m)^poll/shared +\d+ ")
        self.assertRegex(done.out, r"(?m)^epoll/shared +\d+ ")
        self.assertRegex(done.out, r"Least server CPU per request: \w+/shared, \d+\.\d+ us")
        self.assertIn("Differences within the spread mean nothing.", done.out)

    def test_an_unavailable_model_keeps_its_row(self):
        missing = [m for m in run("models", "--json", "-").json() if not m["available"]]
        if not missing:
            self.skipTest("every model is available here")
        name = missing[0]["model"]
        done = run("compare", "--models", name, "--json", "-")
        self.assertEqual(done.status, 0, done.err)
        row, = done.json()
        self.assertEqual((row["model"], row["available"]), (name, False))
        self.assertEqual(row["reason"], missing[0]["reason"])
        self.assertIn(missing[0]["reason"], run("compare", "--models", name).out)

    def test_an_interrupt_prints_the_rows_so_far(self):
        with Running("compare", "--models", "epoll,poll", "--rounds", "1", "--duration",
                     "500ms") as c:
            self.assertIn("epoll/shared", c.line("stderr"))
            self.assertIn("poll/shared", c.line("stderr"))
            c.send(signal.SIGINT)
            self.assertEqual(c.status(), 130)
            self.assertRegex(c.rest("stdout") + c.rest("stdout"), r"(?m)^epoll/shared +\d+ ")


if __name__ == "__main__":
    main()
