"""What goes wrong says so in one line, and by its exit status: 1 it failed, 2 wrong usage."""
import resource
import unittest

from command import *

with open(os.environ["IOLITE_COMMAND"], "rb") as command:
    SANITIZED = re.search(rb"__[at]san_init", command.read()) is not None


class WrongUsage(Case):
    def test_exit_status_2_and_one_line_that_helps(self):
        for arguments in (
                [], ["nonsense"], ["serve"], ["serve", "nonsense"], ["serve", "http-proxy"],
                ["serve", "echo", "--nonsense"], ["serve", "echo", "--model"],
                ["serve", "echo", "--model", "nonsense"],
                ["serve", "echo", "--model", "epoll/nonsense"],
                ["serve", "echo", "--listen", "127.0.0.1:notaport"],
                ["serve", "echo", "--listen", "127.0.0.1:99999"],
                ["serve", "echo", "--idle-timeout", "10"],
                ["serve", "echo", "--connections-max", "-1"],
                ["connect"], ["connect", "a", "b"], ["bench"],
                ["bench", ":1", "--size", "0"], ["bench", ":1", "--size", "16kb"],
                ["bench", ":1", "--connections", "0"], ["bench", ":1", "--duration", "abc"],
                ["bench", ":1", "--rate", "0/s"], ["bench", ":1", "--protocol", "smtp"],
                ["bench", ":1", "--path", "x"], ["bench", "http://127.0.0.1:1/a b"],
                ["bench", ":1", "--poisson"], ["bench", ":1", "--active", "0"],
                ["bench", ":1", "--slo", "p99"], ["bench", ":1", "--slo", "p99=5ms", "--rate", "9"],
                ["bench", ":1", "--slo", "p99=5ms", "--requests", "9"],
                ["bench", ":1", "--pid", "1", "--", "true"], ["bench", ":1", "true"],
                ["models", "--json"], ["doctor", "x"],
                ["compare", "--models", "nonsense"], ["compare", "--workload", "nonsense"],
                ["compare", "--rounds", "0"], ["trace", "--models", "nonsense"],
                ["trace", "--size", "0"], ["trace", "--size", "1MiB"], ["trace", "--rounds", "0"],
                ["trace", "--delay", "1us"], ["trace", "x"], ["simulate", "nonsense"],
                ["simulate", "echo", "--model", "nonsense"],
                ["simulate", "echo", "--model", "epoll/pool"], ["simulate", "echo", "--seeds", "0"],
                ["simulate", "echo", "--seed", "x"], ["simulate", "echo", "--minutes", "0"],
                ["simulate", "echo", "--seed", "1", "--seeds", "2"],
                ["simulate", "echo", "--only", "1"],
                ["simulate", "echo", "--seed", "1", "--only", "1,x"]):
            with self.subTest(arguments=arguments):
                done = run(*arguments)
                self.assertEqual(done.status, 2, done.err)
                self.assertEqual(done.out, "")
                self.one_line(done.err, ".")

    def test_no_option_takes_what_is_no_such_value(self):
        """Every option of every command that takes a value, as its help lists them."""
        numbers = ["-1", "+1", "nan", "inf", "-inf", "1e999", "1e-30", "0x10", "1_000", "1,000", " 1",
                   "1 ", "", "99999999999999999999", "0.0000000000000000000000000000001"]
        wrong = {"N": [*numbers, "1.5"], "DURATION": ["1", *numbers, "-1s", "99999999h"],
                 "SIZE": [*numbers, "0.5", "9999999GiB"], "RATE": [*numbers, "0", "0/s", "-1/s"],
                 "MINUTES": [*numbers[:-1], "0", "100000001"], "LIST": [""],
                 "FILE|-": [""], "FILE.html|-": [""], "FILE": [""], "NAME": [""],
                 "SIZES": [*numbers, "0", "64:", "64..1"], "SHARE": [*numbers, "0", "101%", "1.1"],
                 "OBJECTIVE": [*numbers, "p99", "p99=5", "p100=5ms"], "PATH": ["", "x"],
                 "MODEL": [""], "ADDRESS": [""], "N,N...": ["", "-1", "1,", "1,nan"]}
        tried = set()
        for command, positional in (("serve", ["echo"]), ("bench", [":1"]), ("compare", []), ("trace", []),
                                    ("simulate", ["echo"]), ("models", []), ("doctor", [])):
            listed = re.findall(r"(?m)^  (--[\w-]+) ([A-Z][^\s=]*)", run(command, "--help").out)
            for option, kind in [*listed, *([("--report-fd", "N")] if command == "serve" else [])]:
                needed = ["--seed", "1"] if option == "--only" else []
                for value in wrong[kind]:
                    with self.subTest(command=command, option=option, value=value):
                        done = run(command, *positional, *needed, f"{option}={value}" if value
                                   else option, *([] if value else [""]))
                        self.assertEqual((done.status, done.out), (2, ""), done.err)
                        self.one_line(done.err, ".")
                tried.add(option)
        self.assertLessEqual({"--connections", "--requests", "--rate", "--json", "--minutes",
                              "--seed", "--size", "--active", "--slo", "--churn", "--workers", "--listen", "--report-fd"}, tried)

    def test_the_line_names_what_is_wrong(self):
        self.one_line(run("serve", "echo", "--idle-timeout", "10").err, "'10'.*10s")
        self.one_line(run("bench", ":1", "--size", "16kb").err, "'16kb'.*16KiB")
        self.one_line(run("compare", "--models", "epol").err, "'epol'.*iolite models")
        self.one_line(run("serve", "echo", "--nonsense").err, "nonsense.*iolite serve --help")


class Failures(Case):
    def fails(self, arguments, says, **more):
        done = run(*arguments, **more)
        self.assertEqual(done.status, 1, done.err)
        self.assertEqual(done.out, "")
        self.one_line(done.err, says)

    def test_an_address_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for model in ("epoll", "blocking", "epoll/pool"):
                with self.subTest(model=model):
                    self.fails(["serve", "echo", "--model", model, "--listen", f":{port}"],
                               f"127.0.0.1:{port}.*in use")

    def test_public_addresses_are_refused_unless_asked_for(self):
        self.fails(["serve", "echo", "--model", "epoll", "--listen", "0.0.0.0:0"], "--?public")
        with serve("echo", "--model", "epoll", "--listen", "0.0.0.0:0", "--public") as s:
            self.assertRegex(s.address(), r"^0\.0\.0\.0:[1-9]")

    def test_a_model_that_serves_one_client_at_a_time(self):
        self.fails(["serve", "echo", "--model", "blocking/shared"], "blocking/shared")

    def test_nothing_to_load(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        self.fails(["bench", f":{port}", "--duration", "1s"], f"127.0.0.1:{port}.*iolite serve")
        self.fails(["connect", f":{port}"], f"127.0.0.1:{port}.*iolite serve")

    def test_more_connections_than_descriptors(self):
        def few_descriptors():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        self.fails(["bench", ":1", "--connections", "100"], "100.*64 descriptors.*ulimit -n",
                   prepare=few_descriptors)
        self.fails(["compare", "--connections", "100"], "100.*64 descriptors.*ulimit -n",
                   prepare=few_descriptors)

    @unittest.skipIf(SANITIZED, "a sanitizer maps more than any limit")
    def test_more_connections_than_memory(self):
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

        def limit(megabytes):
            most = int(megabytes * 1_000_000)
            return lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most))

        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            bench = ["bench", s.address()]
            few = [*bench, "--requests", "1", "--connections", "1"]
            enough = next(n for n in range(8, 200, 2) if run(*few, prepare=limit(n)).status == 0)
            self.fails([*bench, "--size", "200MiB"], "memory",
                       prepare=limit(enough + 50))
            self.fails([*bench, "--size", "64KiB", "--connections", "900"], "memory",
                       prepare=limit(enough + 20))
            # It runs out while they are started. With fewer the self-test of the engine is larger.
            if descriptors > 100_100:
                self.fails([*bench, "--connections", "100000"], "memory", prepare=limit(enough))

    def test_results_that_cannot_be_written(self):
        done = run("models", "--json", self.folder() + "/none/x")
        self.assertEqual(done.status, 1)
        self.one_line(done.err, "none/x.*No such file")

    def test_a_full_disk_is_no_success(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "w") as full:
            done = subprocess.run([os.environ["IOLITE_COMMAND"], "models"], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.one_line(done.stderr, "No space")

    def test_a_reader_that_goes_away(self):
        with Running("models") as c:
            c.process.stdout.close()
            self.assertIn(c.status(), (0, 1))
            self.assertEqual(c.rest("stderr"), "")


class Help(Case):
    def test_every_command_has_help_with_an_example(self):
        top = run("--help")
        self.assertEqual((top.status, top.err), (0, ""))
        for command in ("models", "doctor", "serve", "connect", "bench", "compare",
                        "simulate"):
            with self.subTest(command=command):
                self.assertRegex(top.out, rf"(?m)^  {command} ")
                done = run(command, "--help")
                self.assertEqual((done.status, done.err), (0, ""))
                self.assertRegex(done.out, rf"Examples?:\n(?s:.*)  (?:.* )?iolite {command}")

    def test_version(self):
        done = run("--version")
        self.assertEqual(done.status, 0)
        self.assertRegex(done.out, r"^iolite \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    main()
