"""What is written for programs: the members of the JSON are a contract."""
from command import *

ROW = {"model", "workload", "requests", "unanswered", "seconds", "requests_per_second", "latency_us", "server",
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

    def test_a_link_stays_and_its_file_is_written(self):
        folder = self.folder()
        path, link, new = (folder + name for name in ("/models.json", "/link", "/new"))
        with open(path, "w") as file:
            file.write("x" * 1_000_000)
        os.symlink(path, link)
        os.symlink(folder + "/made.json", new)  # as /dev/stdout, these are names of something else
        for name, to in ((link, path), (new, folder + "/made.json")):
            self.assertEqual(run("models", "--json", name).status, 0)
            self.assertTrue(os.path.islink(name))
            with open(to) as file:
                self.assertIsInstance(json.load(file), list)


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
        self.assertEqual(done.status, 0, done.err)
        self.assertNotIn("iolite:", done.err)  # where it takes long, lines of a log are there
        row = done.json()
        self.assertEqual(set(row), ROW | {"client"})
        self.assertEqual(set(row["latency_us"]), LATENCY | {"p99_99"})
        self.assertEqual(set(row["server"]), SERVER)
        self.assertEqual(set(row["client"]), {"threads", "cpu_us_per_request", "busiest_thread", "was_bottleneck"})
        self.assertEqual(row["errors"], 0)
        latency = [row["latency_us"][key] for key in ("p50", "p90", "p99", "p99_9", "p99_99", "max")]
        self.assertEqual(latency, sorted(latency))
        self.assertGreater(latency[0], 0)
        return row

    def test_so_many_requests(self):
        for more in ([], ["--depth", "7"], ["--size", "100KiB"], ["--size", "1MiB", "--depth", "3"],
                     ["--connections", "3"], ["--size", "1"]):
            with self.subTest(more=more):
                row = self.bench("--requests", "500", *more)
                self.assertEqual((row["requests"], row["unanswered"]), (500, 0))

    def test_a_duration(self):
        row = self.bench("--duration", "300ms", "--connections", "8")
        self.assertGreaterEqual(row["seconds"], 0.3)
        self.assertAlmostEqual(row["requests_per_second"], row["requests"] / row["seconds"],
                               delta=1)

    def test_a_rate_is_kept(self):
        row = self.bench("--duration", "1s", "--connections", "8", "--rate", "400/s")
        self.assertLess(row["requests_per_second"], 440)
        self.assertGreater(row["requests_per_second"], 200)

    def stalled(self, answers, *arguments):
        """The report on a server that answers so often and then no more."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with Running("bench", ":%d" % listener.getsockname()[1], "--connections", "1",
                         "--warm-up", "0", "--json", "-", *arguments) as c:
                peer, _ = listener.accept()
                with peer:
                    for _ in range(answers):
                        peer.sendall(receive(peer, 64))
                    self.assertEqual(c.status(), 1)
                    self.assertRegex(c.line("stderr"), "no answer in time on 1 of the connections")
                return json.loads(c.rest("stdout"))

    def test_a_stall_at_the_end_counts(self):
        row = self.stalled(100, "--duration", "1s")
        self.assertEqual((row["requests"], row["unanswered"]), (100, 1))
        self.assertGreaterEqual(row["latency_us"]["max"], 1_000_000)  # it was waited for longer

    def test_a_stall_at_the_end_of_a_schedule_counts_in_full(self):
        row = self.stalled(100, "--duration", "1s", "--rate", "200/s")
        self.assertEqual(row["requests"], 100)
        self.assertGreaterEqual(row["unanswered"], 100)  # sent every 5 ms, of which half a second
        self.assertGreaterEqual(row["latency_us"]["p99"], 450_000)
        self.assertGreaterEqual(row["latency_us"]["p90"], 300_000)

    def test_batches_count_each_of_their_messages(self):
        row = self.stalled(10, "--duration", "1s", "--rate", "100/s", "--depth", "2")
        self.assertEqual(row["requests"], 10)
        self.assertEqual(row["unanswered"] % 2, 0)
        self.assertGreaterEqual(row["unanswered"], 90)

    def test_so_many_requests_of_which_some_get_no_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with Running("bench", ":%d" % listener.getsockname()[1], "--connections", "1", "--json",
                         "-", "--requests", "9", "--rate", "1000000/s", "--depth", "2") as c:
                peer, _ = listener.accept()
                with peer:
                    peer.sendall(receive(peer, 128))
                    receive(peer, 128)  # and all others are due
                    c.send(signal.SIGINT)
                    self.assertEqual(c.status(), 130)
                row = json.loads(c.rest("stdout"))
        self.assertEqual((row["requests"], row["unanswered"]), (2, 6))  # the odd one is no batch

    def test_a_rate_below_one_in_the_run(self):
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            done = run("bench", s.address(), "--duration", "300ms", "--warm-up", "0", "--connections",
                       "5", "--rate", "0.000001/s", "--json", "-")
        self.assertEqual(done.status, 0, done.err)
        self.assertEqual((done.json()["requests"], done.json()["unanswered"]), (1, 0))

    def test_the_text_says_what_was_not_answered(self):
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            done = run("bench", s.address(), "--requests", "100")
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertRegex(done.out, r"(?m)^unanswered 0 when time was up")

    def test_no_answer_is_no_success(self):
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            done = run("bench", s.address(), "--duration", "1ns", "--warm-up", "0", "--rate",
                       "0.001/s", "--connections", "1", "--json", "-")
        self.assertEqual(done.status, 1)
        self.one_line(done.err, "no answer came within 1ns")

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
        for workload in ("ping-pong", "churn", "idle", "slow"):
            with self.subTest(workload=workload):
                long_enough = "2s" if workload == "slow" else "300ms"  # for one whole message
                done = run("compare", "--models", "epoll,blocking/thread", "--duration", long_enough,
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
        done = run("compare", "--models", "poll,epoll", "--duration", "1s", "--rounds", "1",
                   limit=60)
        self.assertEqual(done.status, 0, done.err)
        self.assertRegex(done.out, r"(?m)^poll/shared +\d+ ")
        self.assertRegex(done.out, r"(?m)^epoll/shared +\d+ ")
        self.assertNotIn("rank ", done.out.split("\n\n")[1])  # one round says nothing
        self.assertRegex(done.out, r"For ping-pong take \w+/shared: \d+\.\d+ us of server CPU for each request,\n")
        self.assertIn("their intervals overlap", done.out)

    def test_rounds_give_intervals_and_ranks(self):
        done = run("compare", "--models", "blocking/thread,epoll,posix_aio", "--duration", "500ms", "--rounds", "3",
                   limit=60)
        self.assertEqual(done.status, 0, done.err)
        for line in done.out.split("\n\n")[1].splitlines():
            self.assertLessEqual(len(line), 80, line)
        heads, *rows = done.out.split("\n\n")[1].splitlines()
        self.assertEqual(heads.split()[-2:], ["switches", "rank"])
        ranks = {row.split()[0]: int(row.split()[-1]) for row in rows}
        self.assertEqual(min(ranks.values()), 1)
        best = re.search(r"For ping-pong take (\S+): \S+ us of server CPU for each request \(\S+\),", done.out)[1]
        self.assertEqual(ranks[best], 1)

    def test_the_wide_table_shows_everything(self):
        done = run("compare", "--models", "epoll", "--duration", "500ms", "--rounds", "2", "--wide", limit=60)
        heads, row = done.out.split("\n\n")[1].splitlines()
        self.assertEqual(heads.split()[:12], "MODEL req/s p50 us p99 us CPU us user sys +- calls".split())
        self.assertIn("threads  rank  CALLS BY KIND", heads)
        self.assertRegex(row, r"recv 1\.\d\d")

    def test_it_goes_on_until_time_is_up(self):
        done = run("compare", "--models", "epoll,poll", "--duration", "500ms", "--time", "1s", "--json", "-", limit=60)
        self.assertEqual(done.status, 0, done.err)
        for row in done.json():
            self.assertGreaterEqual(row["rounds"], 1)
            if row["rounds"] > 1:
                least, middle, most = row["cpu_us_interval"]
                self.assertTrue(least <= middle <= most)

    def saved(self, factor):
        """A run, and its file with figures that are so many times as high."""
        path = self.folder() + "/saved.json"
        done = run("compare", "--models", "epoll", "--duration", "500ms", "--rounds", "2", "--json", path, limit=60)
        self.assertEqual(done.status, 0, done.err)
        with open(path) as file:
            rows = json.load(file)
        rows[0]["cpu_us_interval"] = [factor * value for value in rows[0]["cpu_us_interval"]]
        with open(path, "w") as file:
            json.dump(rows, file)
        return path

    def since(self, path):
        return run("compare", "--models", "epoll", "--duration", "500ms", "--rounds", "2", "--baseline", path, limit=60)

    def test_what_costs_more_than_in_a_saved_run_fails(self):
        path = self.saved(0.001)
        done = self.since(path)
        self.assertEqual(done.status, 1)
        self.assertEqual(done.err.splitlines()[-1], f"iolite: 1 of 1 models cost more CPU than in {path}")
        self.assertRegex(done.out, r"(?m)^epoll/shared: \d+ % more CPU for each request: ")

    def test_what_costs_less_is_no_failure(self):
        done = self.since(self.saved(1000))
        self.assertEqual(done.status, 0, done.err)
        self.assertRegex(done.out, r"(?m)^epoll/shared: 100 % less CPU for each request: ")

    def test_a_saved_run_that_says_nothing(self):
        path = self.folder() + "/x"
        self.assertRegex(self.since(path).err.splitlines()[-1], "cannot read .*x: No such file")
        for text, says in (("{", "is no result of iolite compare"), ("[]", "has no rounds of these models"),
                           ('[1, {"model": "epoll/shared", "workload": "ping-pong", "cpu_us_interval": [1]}]',
                            "has no rounds of these models")):
            with open(path, "w") as file:
                file.write(text)
            done = self.since(path)
            self.assertEqual(done.status, 1)
            self.assertRegex(done.err.splitlines()[-1], says)

    def test_an_unavailable_model_keeps_its_row(self):
        missing = [m for m in run("models", "--json", "-").json() if not m["available"]]
        if not missing:
            self.skipTest("every model is available here")
        name = missing[0]["model"]
        done = run("compare", "--models", name, "--json", "-")
        self.assertEqual(done.status, 1)  # nothing was measured
        self.one_line(done.err, "nothing was measured: " + re.escape(name))
        row, = done.json()
        self.assertEqual((row["model"], row["available"]), (name, False))
        self.assertEqual(row["reason"], missing[0]["reason"])
        self.assertIn(missing[0]["reason"], run("compare", "--models", name).out)

    def test_an_unavailable_model_beside_others_is_no_failure(self):
        done = run("compare", "--models", "kqueue,epoll", "--duration", "100ms", "--rounds", "1",
                   "--json", "-", limit=60)
        self.assertEqual(done.status, 0, done.err)
        self.assertEqual([row["available"] for row in done.json()], [False, True])

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
