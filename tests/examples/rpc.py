"""rpc_server and rpc_client, each against plain sockets, and together."""
import random

from programs import *


class RpcServer(Case):
    def each(self):
        for model in MODELS:
            with self.subTest(model=model), start("rpc_server", ":0", model=model) as server:
                with dial(server.address()) as client:
                    yield client
                server.ends_well()

    def test_answers_come_in_the_order_in_which_the_calls_end(self):
        for client in self.each():
            client.sendall(b"1 wait 300\n2 echo two\n3 echo three\n")
            early = {receive_line(client), receive_line(client)}
            self.assertEqual(early, {"2 two", "3 three"})
            self.assertEqual(receive_line(client), "1 waited")

    def test_a_cancelled_call_is_not_answered(self):
        for client in self.each():
            client.sendall(b"1 wait 60000\n1\n2 wait 100\n")
            self.assertEqual(receive_line(client), "2 waited")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(until_end(client), b"")  # nothing of call 1, and it is not waited for

    @tool("nc")
    def test_what_was_asked_is_answered_after_the_end(self):
        for model in MODELS:
            with self.subTest(model=model), start("rpc_server", ":0", model=model) as server:
                host, _, port = server.address().rpartition(":")
                done = subprocess.run(["nc", "-N", host, port], input=b"7 wait 50\r\n8 echo x\r\n",
                                      capture_output=True, timeout=LIMIT)
                self.assertEqual(done.stdout, b"8 x\n7 waited\n")
                server.ends_well()

    def test_what_is_no_call_ends_the_connection(self):
        for text in b"hello\n", b"7echo x\n", b"99999999999999999999 x\n", b"1 wait 60000\n1 x\n":
            for client in self.each():
                client.sendall(text)
                self.assertEqual(until_end(client), b"")

    def test_more_calls_than_it_runs_at_a_time(self):
        for client in self.each():
            client.sendall(b"".join(b"%d wait 20\n" % n for n in range(1000)))
            got = sorted(int(receive_line(client).split()[0]) for _ in range(1000))
            self.assertEqual(got, list(range(1000)))


class Answers:
    """A server of calls, out of order, which cuts its connection after so many answers."""

    def __init__(self, good, wrong=False):
        self.good, self.wrong, self.cancelled = good, wrong, threading.Event()

    def __call__(self, peer):
        given, lines = 0, peer.makefile("rb")
        while line := lines.readline():
            call, space, text = line.decode().rstrip("\n").partition(" ")
            if not space:
                self.cancelled.set()
            if not text.startswith("echo "):
                continue
            if given == self.good:
                return reset(peer) if random.random() < 0.5 else None
            given += 1
            answer = "something else" if self.wrong else text[5:]
            peer.sendall(f"{call} {answer}\n".encode())


class RpcClient(Case):
    def run_client(self, address, *arguments, model):
        return subprocess.run([PROGRAMS / "rpc_client", address, *arguments], text=True,
                              env=program.environment(IOLITE_MODEL=model.split("/")[0]),
                              capture_output=True, timeout=LIMIT)

    def test_a_hundred_tasks_share_a_connection(self):
        for model in MODELS:
            answers = Answers(good=None)
            with self.subTest(model=model), Server(answers) as server:
                done = self.run_client(server.address, model=model)
                self.assertEqual(done.stdout, "the slow call: Operation canceled\n"
                                              "100 of 100 tasks have all their answers\n")
                self.assertEqual((done.returncode, server.connections), (0, 1))
                self.assertTrue(answers.cancelled.wait(LIMIT), "the server was not told")

    def test_a_lost_connection_is_made_again(self):
        for model in MODELS:
            with self.subTest(model=model), Server(Answers(good=60)) as server:
                done = self.run_client(server.address, "20", model=model)
                self.assertIn("20 of 20 tasks have all their answers\n", done.stdout)
                self.assertGreaterEqual(server.connections, 200 // 60)

    def test_a_wrong_answer_is_seen(self):
        for model in MODELS:
            with self.subTest(model=model), Server(Answers(good=None, wrong=True)) as server:
                done = self.run_client(server.address, "3", model=model)
                self.assertIn("0 of 3 tasks have all their answers\n", done.stdout)
                self.assertEqual(done.returncode, 1)

    def test_with_the_real_server(self):
        for model in MODELS:
            with self.subTest(model=model), start("rpc_server", ":0", model=model) as server:
                done = self.run_client(server.address(), model=model)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                server.ends_well()


if __name__ == "__main__":
    main()
