"""iolite trace: what it prints is a contract, what it measures is not asserted."""
import time
import xml.etree.ElementTree

from command import *
from refused import refuse

RUN = {"size", "delay_us", "rounds", "exact", "over_unix", "missing", "models"}
MODEL = {"model", "available", "reason", "asleep_in", "woke_us", "t2_us", "t3_us", "t4_us", "t4_p10_us",
         "t4_p90_us", "cpu_phase1_us", "calls_phase1", "calls_phase2", "copied_by", "other_tasks_run",
         "other_tasks_due", "rounds", "disturbed", "asks_by", "waits", "waited_us", "stretches", "sentence"}
STRETCHES = {"alone", "free", "asking", "waking", "copying", "both", "unknown"}
PERF_EVENT_OPEN = 298  # x86-64
FEW = ("trace", "--rounds", "3", "--delay", "3ms")


def refuse_perf_events():
    refuse(PERF_EVENT_OPEN)


class Trace(Case):
    def test_json(self):
        done = run(*FEW, "--json", "-")
        self.assertEqual((done.status, done.err), (0, ""))
        report = done.json()
        self.assertEqual(set(report), RUN)
        self.assertEqual((report["size"], report["delay_us"], report["rounds"]), (64, 3000, 3))
        available = {m["engine"] for m in run("models", "--json", "-").json() if m["available"]}
        self.assertEqual({m["model"] for m in report["models"]}, available)
        for m in report["models"]:
            with self.subTest(model=m["model"]):
                self.assertEqual(set(m), MODEL)
                self.assertIn(m["copied_by"], ("self", "helper", "kernel"))
                self.assertLessEqual(m["t2_us"], m["t4_us"])
                self.assertLessEqual(m["t4_p10_us"], m["t4_p90_us"])
                self.assertTrue(m["sentence"].startswith(m["model"] + ": "), m["sentence"])
                self.assertLessEqual(m["other_tasks_run"], m["other_tasks_due"])
                self.assertIn(m["waits"], STRETCHES)
                own = [s for s in m["stretches"] if s["lane"] == "own"]
                self.assertEqual([s["from_us"] for s in own[1:]], [s["to_us"] for s in own[:-1]], own)
                self.assertEqual(own[0]["from_us"], 0)
                self.assertGreaterEqual(own[-1]["to_us"], m["t4_us"])
                self.assertLessEqual({s["what"] for s in m["stretches"]}, STRETCHES)
                self.assertEqual("helper" in {s["lane"] for s in m["stretches"]}, m["copied_by"] == "helper")

    def test_blocking_lets_no_other_task_run_and_nonblocking_never_sleeps(self):
        report = run(*FEW, "--models", "blocking,nonblocking", "--json", "-").json()
        blocking, nonblocking = report["models"]
        self.assertEqual(blocking["asleep_in"], "recv")
        self.assertEqual(blocking["other_tasks_run"], 0)
        self.assertEqual((blocking["calls_phase1"], blocking["calls_phase2"]), (1, 0))
        self.assertIsNone(nonblocking["asleep_in"])
        self.assertIsNone(nonblocking["woke_us"])
        self.assertGreaterEqual(nonblocking["calls_phase1"], 1)

    def test_the_figure_has_80_columns_in_both_alphabets(self):
        for more, changes, signs in (([], {"LC_ALL": "en_US.UTF-8"}, "┊▼╱·"), ([], {"LC_ALL": "C"}, "|v/."),
                                     (["--ascii"], {"LC_ALL": "en_US.UTF-8"}, "|v/.")):
            with self.subTest(more=more, changes=changes):
                done = run(*FEW, *more, **changes)
                self.assertEqual((done.status, done.err), (0, ""))
                for line in done.out.splitlines():
                    self.assertLessEqual(len(line), 80, line)
                for sign in signs:
                    self.assertIn(sign, done.out)
                self.assertEqual(done.out.isascii(), signs[0] == "|")
                self.assertNotIn("\033", done.out)
                self.assertTrue(done.out.startswith("64 bytes arrive 3 ms after the call. "), done.out)
                lanes = [line for line in done.out.splitlines() if signs[0] in line][1:]
                ends = [line for line in lanes if not line.startswith("  helper")]
                self.assertEqual({len(line) for line in ends}, {80}, done.out)
                self.assertTrue(all(line.index(signs[0]) == 28 for line in lanes), done.out)

    def test_without_perf_events_it_shows_a_range_and_says_what_is_missing(self):
        done = run(*FEW, "--models", "blocking,epoll", "--ascii", prepare=refuse_perf_events)
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertIn("perf_event_paranoid", done.out)
        self.assertRegex(done.out, r"(?m)^blocking +recv +\|\?")
        self.assertIn("? not visible", done.out)
        for m in run(*FEW, "--models", "blocking,epoll", "--json", "-",
                     prepare=refuse_perf_events).json()["models"]:
            self.assertIsNone(m["woke_us"])
            self.assertEqual(m["t3_us"] is None, m["model"] == "blocking")
            self.assertIsNotNone(m["t4_us"])

    def test_on_one_processor_it_says_so(self):
        done = run(*FEW, "--models", "poll", prepare=lambda: os.sched_setaffinity(0, {0}))
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertIn("one processor", done.out)

    def test_over_a_unix_socket_it_says_how_uncertain_the_arrival_is(self):
        done = run(*FEW, "--models", "poll", "--unix")
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertTrue("Unix sockets stamp nothing" in done.out or "exact" in done.out, done.out)

    def test_a_model_that_is_not_available_is_named_and_the_others_are_measured(self):
        done = run(*FEW, "--models", "kqueue,poll/pool,poll")
        self.assertEqual(done.status, 1)
        self.one_line(done.err, "kqueue is not available")
        self.assertIn("poll: slept in poll", done.out)
        self.assertEqual(done.out.count("poll: "), 1)

    def test_an_interrupted_run_shows_what_it_has(self):
        with Running("trace", "--rounds", "10000", "--models", "poll,epoll", LC_ALL="C") as t:
            threads = f"/proc/{t.process.pid}/task"
            until = time.monotonic() + 20
            while len(os.listdir(threads)) < 2:  # measuring has begun
                self.assertLess(time.monotonic(), until)
            t.send(signal.SIGINT)
            self.assertEqual(t.status(), 130)
            self.assertIn("Who waits", t.rest("stdout"))
            self.one_line(t.rest("stderr"), r"interrupted: \d+ of 10000 rounds")

    def test_files_are_written_completely_or_not_at_all(self):
        folder = self.folder()
        for option in ("--json", "--svg", "--trace"):
            with self.subTest(option=option):
                done = run(*FEW, "--models", "poll", option, folder + "/none/x")
                self.assertEqual(done.status, 1)
                self.assertIn("poll: slept", done.out)
                self.one_line(done.err, "none/x.*No such file")
                done = run(*FEW, "--models", "poll", option, folder + "/x")
                self.assertEqual((done.status, done.err), (0, ""))
                self.assertEqual(os.listdir(folder), ["x"])
                done = run(*FEW, "--models", "poll", option, "/dev/full")
                self.assertEqual(done.status, 1)
                self.one_line(done.err, "/dev/full.*No space")

    def test_the_drawing_needs_nothing_from_elsewhere(self):
        text = run(*FEW, "--svg", "-").out
        root = xml.etree.ElementTree.fromstring(text)
        self.assertTrue(root.tag.endswith("svg"))
        self.assertNotIn("var(", text)
        self.assertEqual(text.count("http"), text.count("http://www.w3.org/2000/svg"))
        for model in ("blocking", "epoll", "data arrives"):
            self.assertIn(f">{model}</text>", text)

    def test_trace_events_are_those_of_the_format(self):
        events = run(*FEW, "--models", "blocking,poll", "--trace", "-").json()["traceEvents"]
        names = {e["args"]["name"] for e in events if e["name"] == "process_name"}
        self.assertEqual(names, {"blocking", "poll"})
        slices = [e for e in events if e["ph"] == "X"]
        for e in slices:
            self.assertGreaterEqual(e["dur"], 0)
            self.assertGreaterEqual(e["ts"], -1)
        self.assertLessEqual({"recv", "poll", "data arrives"}, {e["name"] for e in slices})
        for e in events:
            self.assertEqual(round(e.get("ts", 0), 3), e.get("ts", 0))

    def test_sizes(self):
        done = run("trace", "--sizes", "--rounds", "3", "--models", "blocking,posix_aio", "--ascii")
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertRegex(done.out, r"(?m)^blocking +\d+\.\d/\d+\.\d ")
        self.assertLessEqual(max(len(line) for line in done.out.splitlines()), 80)
        rows = run("trace", "--sizes", "--rounds", "3", "--models", "poll", "--json", "-").json()["sizes"]
        self.assertEqual(rows[0]["size"], 64)
        self.assertEqual(rows[-1]["size"], 1024 * 1024)
        self.assertIsNotNone(rows[0]["own_cpu_us"])


if __name__ == "__main__":
    main()
