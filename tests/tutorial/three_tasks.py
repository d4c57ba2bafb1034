"""three_tasks: waits add up in turn, and lie side by side in threads and in an event loop."""
import itertools
import re
import subprocess

from tutorial import *

NAMES = {"in turn": 1, "three threads": 3, "one event loop": 1}  # and in how many threads
WAIT = 150  # ms, of each task


def run(*arguments):
    return subprocess.run([PROGRAMS / "three_tasks", *arguments], capture_output=True, text=True,
                          timeout=20)


class ThreeTasks(Case):
    def chart(self, output, wait):
        """{name: [(begin, end) of each task]} in ms; the drawn bars agree with the numbers."""
        found = {}
        lines = iter(output.splitlines())
        for line in lines:
            name, total, threads = re.fullmatch(r"(.*): (\d+) ms, threads (\d+)", line).groups()
            self.assertEqual(int(threads), NAMES[name])
            found[name] = []
            for number, row in enumerate(itertools.islice(lines, 3), 1):
                task, space, bar, begin, end = re.fullmatch(
                    r"  task (\d) \|( *)(#+) (\d+) to (\d+) ms", row).groups()
                self.assertEqual(int(task), number)
                begin, end = int(begin), int(end)
                found[name].append((begin, end))
                columns = 16 / wait  # for a millisecond, one of which is lost in rounding
                self.assertAlmostEqual(len(space), begin * columns, delta=1 + columns)
                self.assertAlmostEqual(len(space + bar), end * columns, delta=1 + columns)
                self.assertGreaterEqual(end - begin, wait - 1)
            self.assertEqual(int(total), max(end for _, end in found[name]))
        self.assertEqual(list(found), list(NAMES))
        return found

    def check(self, wait, *arguments):
        begin = time.monotonic()
        done = run(*arguments)
        took = (time.monotonic() - begin) * 1000
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        found = self.chart(done.stdout, wait)
        turns = found["in turn"]
        for before, after in itertools.pairwise(turns):
            self.assertGreaterEqual(after[0], before[1])
        self.assertGreaterEqual(turns[-1][1], 3 * wait)
        for name in "three threads", "one event loop":
            # At once: all have begun before any has ended.
            self.assertLess(max(b for b, _ in found[name]), min(e for _, e in found[name]))
            total = max(end for _, end in found[name])
            self.assertTrue(wait <= total < turns[-1][1], found)
        self.assertGreaterEqual(took, sum(max(e for _, e in rows) for rows in found.values()))

    def test_in_turn_and_at_once(self):
        for model in MODELS:
            if not model.startswith("blocking"):
                with self.subTest(model=model):
                    self.check(WAIT, "--wait-ms", str(WAIT), "--model", model)

    def test_without_options_it_is_300_ms(self):
        self.check(300)

    def test_blocking_is_no_event_loop(self):
        done = run("--model", "blocking")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"\Ablocking is no event loop.*\n\Z")


if __name__ == "__main__":
    main()
