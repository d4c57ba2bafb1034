"""rpc_test: finds nothing in the RPC, and in one that does not connect again what it takes to fail."""
from programs import *


def run(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=240)


class RpcTest(Case):
    def test_each_seed_passes(self):
        done = run(PROGRAMS / "rpc_test")
        self.assertEqual((done.returncode, done.stdout),
                         (0, "100 seeds: each call was answered by its own answer\n"))

    def test_a_seed_alone(self):
        done = run(PROGRAMS / "rpc_test", "7")
        self.assertEqual((done.returncode, done.stdout[:7]), (0, "1 seeds"))

    def test_a_bug_is_found_reduced_to_a_fault_and_repeated(self):
        found = run(os.environ["CARELESS"])
        self.assertEqual(found.returncode, 1)
        self.assertRegex(found.stdout, r"\d+ faults, of which it takes 1 \(")
        seed, faults = re.search(r"to repeat it: rpc_test (\d+) (\d+),\n$", found.stdout).groups()
        again = run(os.environ["CARELESS"], seed, faults + ",")
        self.assertEqual(again.returncode, 1)
        self.assertEqual(again.stdout.split("\n")[:2], found.stdout.split("\n")[:2])  # the trace
        without = run(os.environ["CARELESS"], seed, ",")
        self.assertEqual(without.returncode, 0)  # without a fault nothing is lost


if __name__ == "__main__":
    main()
