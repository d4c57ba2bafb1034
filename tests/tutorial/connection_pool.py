"""connection_pool: connections are reused, replaced when broken, and borrower N + 1 waits."""
import contextlib
import re
import select
import struct
import subprocess
import threading

from tutorial import *


class Lines:
    """A server of lines that counts. After `good` answers a connection breaks, each in the next
    of these ways: it ends or is reset with a request unanswered, gives a wrong answer, or gives
    the right one and ends."""

    def __init__(self, good=None, ways=("ends", "reset", "wrong", "last")):
        self.good, self.ways = good, ways
        self.made, self.asked, self.given = 0, [], []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(20)
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                way = self.ways[self.made % len(self.ways)]
                self.made += 1
                self.threads.append(threading.Thread(target=self.serve, args=(client, way)))
                self.threads[-1].start()

    def serve(self, client, way):
        with client, contextlib.suppress(OSError):
            client.settimeout(20)
            answers = 0
            while line := receive_line(client):
                answer = line.upper()
                breaks = answers == self.good and way
                answers += 1
                with self.lock:
                    self.asked.append(line)
                    if breaks in (False, "last"):
                        self.given.append(line)
                if breaks == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if breaks in ("reset", "ends"):
                    break
                if breaks == "wrong":
                    answer = "something else"
                client.sendall(answer.encode() + b"\n")
                if breaks == "last":
                    break


def run(address, *arguments):
    return subprocess.run([PROGRAMS / "connection_pool", "--to", address, *arguments],
                          capture_output=True, text=True, timeout=20)


def counts(output):
    return [int(n) for n in re.search(
        r"(\d+) connections made, (\d+) broke and were replaced, (\d+) times", output).groups()]


def wanted(tasks, requests):
    return sorted(f"task {t + 1} asks {r + 1}" for t in range(tasks) for r in range(requests))


class ConnectionPool(Case):
    def test_connections_are_reused(self):
        for model in MODELS:
            with self.subTest(model=model), Lines() as server:
                done = run(server.address, "--model", model, "--connections", "4", "--tasks", "12",
                           "--requests", "6")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(sorted(server.asked), wanted(12, 6))  # each once
                made, broken, _ = counts(done.stdout)
                self.assertEqual((made, broken), (server.made, 0))
                self.assertLessEqual(server.made, 4)

    def test_no_more_are_made_than_are_needed(self):
        with Lines() as server:
            done = run(server.address, "--connections", "5", "--tasks", "1", "--requests", "9")
            self.assertEqual((done.returncode, server.made), (0, 1), done.stderr)
            self.assertEqual(counts(done.stdout), [1, 0, 0])

    def test_broken_ones_are_replaced(self):
        for model in MODELS:
            with self.subTest(model=model), Lines(good=3) as server:
                done = run(server.address, "--model", model, "--connections", "3", "--tasks", "8",
                           "--requests", "6")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(sorted(set(server.given)), wanted(8, 6))
                made, broken, _ = counts(done.stdout)
                self.assertEqual(made, server.made)
                self.assertGreater(made, 48 // 4)  # none gives more than four answers
                self.assertTrue(made - 3 <= broken <= made, done.stdout)

    def test_borrower_n_plus_1_waits(self):
        for model in MODELS:
            with self.subTest(model=model), contextlib.ExitStack() as all_of_them:
                listener = all_of_them.enter_context(socket.create_server(("127.0.0.1", 0)))
                listener.settimeout(20)
                client = all_of_them.enter_context(start(
                    "connection_pool", "--to", "127.0.0.1:%d" % listener.getsockname()[1],
                    "--model", model, "--connections", "2", "--tasks", "3", "--requests", "1"))
                lent = [all_of_them.enter_context(listener.accept()[0]) for _ in range(2)]
                for connection in lent:
                    connection.settimeout(20)
                asked = [receive_line(connection) for connection in lent]
                self.assertEqual(select.select([listener, *lent], [], [], 0.1)[0], [],
                                 "the third has not waited")
                lent[1].sendall(asked[1].encode() + b"\n")  # one comes back
                asked.append(receive_line(lent[1]))
                self.assertEqual(sorted(asked), wanted(3, 1))
                self.assertEqual(select.select([listener, lent[0]], [], [], 0)[0], [])
                lent[0].sendall(asked[0].encode() + b"\n")
                lent[1].sendall(asked[2].encode() + b"\n")
                self.assertEqual(client.status(), 0)
                self.assertEqual(counts(client.rest("stdout")), [2, 0, 1])

    def test_a_server_at_fault_is_an_error(self):
        for model in MODELS:
            for way in "ends", "reset", "wrong":
                with self.subTest(model=model, way=way), Lines(good=0, ways=(way,)) as server:
                    done = run(server.address, "--model", model)
                    self.assertEqual((done.returncode, done.stdout), (1, ""))
                    self.assertEqual(done.stderr, "the server breaks new connections\n")
            done = run(server.address, "--model", model)  # nobody listens there any more
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, r"\A.*refused.*\n\Z")


if __name__ == "__main__":
    main()
