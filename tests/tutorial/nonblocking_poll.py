"""nonblocking_poll: asking at once burns the CPU, asking later lets messages lie."""
import contextlib
import re

from tutorial import *

REPORT = re.compile(r"([\d.]+) s: ([\d.]+) s of CPU, (\d+) rounds, (\d+) clients, "
                    r"(\d+) messages, unseen for ([\d.]+) ms")


class Server:
    def __init__(self, test, *arguments):
        self.program = test.enterContext(start("nonblocking_poll", "--listen", ":0", *arguments))
        self.address = self.program.address()
        self.reported = 0  # seconds of CPU, in all

    def report(self):
        """seconds, CPU seconds, rounds, clients, messages, ms"""
        seconds, cpu, rounds, clients, messages, lay = map(
            float, REPORT.fullmatch(self.program.line()).groups())
        self.reported += cpu
        return seconds, cpu, rounds, clients, messages, lay

    def really_used(self):
        """Seconds of CPU, as the system counts them: in hundredths."""
        with open(f"/proc/{self.program.process.pid}/stat", encoding="ascii") as line:
            user, system = line.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def idle_report(self):
        """The CPU for a second and the rounds in it, of a whole second with three idle clients."""
        with contextlib.ExitStack() as all_of_them:
            for _ in range(3):
                all_of_them.enter_context(dial(self.address))
            wait_until(lambda: self.report()[3] == 3)
            seconds, cpu, rounds, clients, messages, _ = self.report()
            assert (clients, messages) == (3, 0), (clients, messages)
            return cpu / seconds, rounds / seconds

    def wait_for_stamps(self, client):
        """The kernel stamps what arrives only some time after SO_TIMESTAMP."""
        average = 0
        while average == 0:
            client.sendall(b"early")
            assert receive(client, 5) == b"EARLY"
            messages = 0
            while messages == 0:
                *_, messages, average = self.report()

    def lay(self, times):
        """How long messages lay there, in ms: as the program says, and as the client sees it."""
        with dial(self.address) as client:
            self.wait_for_stamps(client)
            begin = time.monotonic()
            for i in range(times):
                client.sendall(b"message %d" % i)
                assert receive(client, 9) == b"MESSAGE %d" % i
            seen = (time.monotonic() - begin) / times * 1000
        found = lay = 0
        while found < times:
            *_, messages, average = self.report()
            found += messages
            lay += messages * average
        assert found == times, found
        return lay / times, seen


class NonblockingPoll(Case):
    def test_many_clients_one_thread_upper_case(self):
        server = Server(self)
        with dial(server.address) as deaf, contextlib.ExitStack() as all_of_them:
            deaf.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                while True:  # it never reads, and nobody else waits for it
                    deaf.sendall(b"x" * 65536)
            clients = [all_of_them.enter_context(dial(server.address)) for _ in range(20)]
            for number, client in enumerate(clients):
                client.sendall(b"client %d, " % number)
            for number, client in enumerate(clients):
                client.sendall(b"again")
                wanted = b"CLIENT %d, AGAIN" % number
                self.assertEqual(receive(client, len(wanted)), wanted)
            for client in clients[::2]:
                client.close()
            for client in clients[1::2]:
                client.sendall(b"still")
                self.assertEqual(receive(client, 5), b"STILL")
            wait_until(lambda: server.report()[3] == 11)
            self.assertEqual(proc_field(server.program.process.pid, "status", "Threads"), 1)
        server.program.ends_well()

    def test_the_choice_between_cpu_and_latency(self):
        at_once, later = Server(self), Server(self, "--sleep-ms", "60")
        # Only one of them can burn a core that the other does not need.
        lay_later, seen_later = later.lay(10)
        cpu_later, rounds_later = later.idle_report()
        lay_at_once, _ = at_once.lay(10)
        cpu_at_once, rounds_at_once = at_once.idle_report()

        self.assertTrue(20 < lay_later < 2 * seen_later, f"{lay_later} ms of {seen_later} ms")
        self.assertLess(lay_at_once, lay_later / 2)
        self.assertLessEqual(rounds_later, 1000 / 60)
        self.assertGreater(rounds_at_once, 50 * rounds_later)
        self.assertGreater(cpu_at_once, 0.1)
        self.assertLess(cpu_later, cpu_at_once / 5)
        for server in at_once, later:  # and the system says the same
            self.assertLess(server.reported, server.really_used() + 0.05)
            server.program.ends_well()
        self.assertGreater(at_once.reported, 0.2)


if __name__ == "__main__":
    main()
