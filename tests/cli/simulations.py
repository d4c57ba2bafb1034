"""iolite simulate: how far it is and what it comes to, a failing one shrunk and repeated by one command."""
from command import *

SCENARIOS = ["echo", "relay", "fanout", "pool_drain", "half_close", "chat", "log"]
MODELS = ["select", "poll", "epoll", "nonblocking", "io_uring"]


class Scenarios(Case):
    def test_they_are_listed(self):
        listed = run("simulate")
        self.assertEqual((listed.status, listed.err), (0, ""))
        self.assertEqual([line.split()[0] for line in listed.out.splitlines()],
                         [*SCENARIOS, "careless"])
        self.assertEqual(run("simulate", "list").out, listed.out)

    def test_each_holds_under_every_model(self):
        for scenario in SCENARIOS:
            for model in MODELS:
                with self.subTest(scenario=scenario, model=model):
                    done = run("simulate", scenario, "--model", model, "--seeds", "4")
                    self.assertEqual(done.status, 0, done.err)
                    self.assertRegex(done.out, rf"^{scenario}, {model}: 4 seeds, \d+ s of virtual time,"
                                           r" \d+ system calls, [1-9]\d* faults\n\Z")

    def test_one_seed_is_the_same_each_time(self):
        once = run("simulate", "log", "--seed", "18446744073709551615", "--json", "-")
        self.assertEqual(once.status, 0, once.err)
        self.assertEqual(once.out, run("simulate", "log", "--seed", "18446744073709551615",
                                       "--json", "-").out)
        row = once.json()
        self.assertEqual(set(row), {"scenario", "model", "seeds", "virtual_seconds",
                                    "system_calls", "faults", "failing"})
        self.assertEqual((row["scenario"], row["model"], row["seeds"], row["failing"]),
                         ("log", "epoll", 1, None))
        self.assertGreater(row["faults"]["planned"], 0)

    def test_minutes(self):
        done = run("simulate", "half_close", "--minutes", "0.005")  # 0.3 s
        self.assertEqual(done.status, 0, done.err)
        self.assertGreater(int(re.fullmatch(r"half_close, epoll: (\d+) seeds, .*\n", done.out)[1]), 1)

    def test_an_interrupt_ends_with_what_was_run(self):
        with Running("simulate", "log", "--minutes", "5") as c:
            # No terminal: a line of a log now and then.
            shown = re.fullmatch(r"log, epoll: (\d+) seeds, \d+ s left", c.line("stderr"))
            c.send(signal.SIGINT)
            self.assertEqual(c.status(), 130)
            last = c.line()
            self.assertGreaterEqual(int(re.match(r"log, epoll: (\d+) seeds, ", last)[1]), int(shown[1]))
            self.assertEqual(c.line(), "")

    def test_a_terminal_gets_one_line_that_changes(self):
        status, out, shown = on_terminal("simulate", "log", "--seeds", "50", limit=60)
        self.assertEqual(status, 0)
        self.assertRegex(shown, r"^\r\x1b\[Klog, epoll: \d+ of 50 seeds\r")
        self.assertNotIn("\n", shown)
        self.assertTrue(shown.endswith("\r\x1b[K"))  # nothing of it is left
        self.assertRegex(out, r"^log, epoll: 50 seeds, .*\n\Z")


class FailingSeed(Case):
    def test_it_is_shrunk_and_one_command_repeats_it(self):
        done = run("simulate", "careless")
        self.assertEqual(done.status, 1)
        seed, = re.findall(r"(?m)^seed (\d+): failed$", done.out)
        self.assertRegex(done.out, r"(?m)^  failed: client: another message comes back$")
        self.assertRegex(done.out, r"(?m)^the last of the trace:\n +\d+\.\d{6}  ")
        faults = re.search(r"(?m)^(\d+) faults, of which it takes (\d+) \(\d+ runs\)$", done.out)
        self.assertLess(int(faults[2]), int(faults[1]))
        needed = re.findall(r"(?m)^  (\d+)  after \d+\.\d{6} s: (\w+) of (\w+)$", done.out)
        self.assertEqual(len(needed), int(faults[2]))
        repeat = re.search(r"(?m)^to repeat it: iolite (.+)$", done.out)[1]
        self.assertEqual(repeat, f"simulate careless --model epoll --seed {seed} --only "
                                 + ",".join(number for number, _, _ in needed))
        self.one_line(done.err.splitlines()[-1], f"careless fails with seed {seed}; iolite simulate careless")
        again = run(*repeat.split())
        self.assertEqual(again.status, 1)
        trace = re.search(r"trace [0-9a-f]+$", done.out, re.M)[0]
        self.assertIn(trace, again.out)  # the very same run
        # Without any one of these faults nothing fails.
        for left_out, _, _ in needed:
            rest = ",".join(number for number, _, _ in needed if number != left_out) or "none"
            fewer = run("simulate", "careless", "--seed", seed, "--only", rest)
            self.assertEqual(fewer.status, 0, fewer.out)

    def test_as_json(self):
        done = run("simulate", "careless", "--json", "-")
        self.assertEqual(done.status, 1)
        failing = done.json()["failing"]
        self.assertEqual(set(failing), {"seed", "report", "trace", "faults", "repeat"})
        for fault in failing["faults"]:
            self.assertEqual(set(fault), {"number", "what", "program", "seconds"})
        self.assertEqual(run(*failing["repeat"].split()[1:]).status, 1)


if __name__ == "__main__":
    main()
