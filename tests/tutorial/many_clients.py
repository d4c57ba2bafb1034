"""many_clients: it finds the server that is wrong, and no fault with one that is right."""
import asyncio
import re
import subprocess
import threading

from tutorial import *


class Server:
    """An echo server in a thread. The client `victim` meets `fault`; with `together`, nobody is
    answered before so many clients have sent a whole message."""

    def __init__(self, fault=None, victim=7, together=0, upper=False):
        self.fault, self.victim, self.together, self.upper = fault, victim, together, upper
        self.pieces = self.connections = 0
        self.messages = []
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))

    def __enter__(self):
        self.thread.start()
        self.ready.wait(20)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(20)

    async def run(self):
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        self.all_here = asyncio.Event()
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        self.ready.set()
        await self.stop.wait()
        server.close()

    async def serve(self, reader, writer):
        self.connections += 1
        kept, met = b"", False
        try:
            while piece := await reader.read(65536):
                self.pieces += 1
                kept += piece
                while b"\n" in kept:
                    line, _, kept = kept.partition(b"\n")
                    met |= await self.answer(line + b"\n", writer)
            if self.fault == "never ends" and met:
                await self.stop.wait()
        except OSError:
            pass
        finally:
            writer.close()

    async def answer(self, line, writer):
        """True: this was the one to meet the fault."""
        self.messages.append(line.decode())
        if self.together:
            if len(self.messages) == self.together:
                self.all_here.set()
            await self.all_here.wait()
        number, client = map(int, re.fullmatch(rb"message (\d+) of client (\d+)\n", line).groups())
        answer = line.upper() if self.upper else line
        meets = client == self.victim and number == 2
        if meets:
            answer = {
                "wrong byte": answer[:-2] + b"?\n", "of another": answer.replace(b"7", b"8"),
                "one short": answer[:-1], "one more": answer + b"!", "none": b"",
                "closes": answer}.get(self.fault, answer)
        if meets and self.fault == "closes":
            raise OSError
        writer.write(answer)
        await writer.drain()
        return meets


def run(address, *arguments):
    return subprocess.run([PROGRAMS / "many_clients", "--to", address, *arguments],
                          capture_output=True, text=True, timeout=20)


class ManyClients(Case):
    def test_a_server_that_is_right(self):
        for model in MODELS:
            # It answers nobody before all are connected.
            with self.subTest(model=model), Server(together=50) as server:
                done = run(server.address, "--model", model, "--connections", "50",
                           "--messages", "2")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(done.stdout, "50 connections, 100 messages in 300 parts, "
                                              "100 answers right\n")
                self.assertEqual(server.connections, 50)
                self.assertEqual(sorted(server.messages), sorted(
                    f"message {i + 1} of client {c + 1}\n" for i in range(2) for c in range(50)))
                # On the way, parts may be joined: but not all of them.
                self.assertGreater(server.pieces, 100)

    def test_upper_case(self):
        with Server(upper=True) as server:
            done = run(server.address, "--upper", "--connections", "8")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, r"24 answers right\n\Z")
            done = run(server.address, "--connections", "8")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"\Aclient 1: wrong answer: MESSAGE 1 OF CLIENT 1\n\Z")

    def test_one_fault_in_one_answer(self):
        for fault, right, problem in [
                ("wrong byte", 29, "wrong answer: message 2 of client ?"),
                ("of another", 29, "wrong answer: message 2 of client 8"),
                ("one short", 29, "answer missing: .*timed out"),
                ("none", 29, "answer missing: .*timed out"),
                ("closes", 29, "answer missing"),
                ("one more", 30, "more than the answers"),
                ("never ends", 30, "the stream does not end: .*timed out")]:
            with self.subTest(fault=fault), Server(fault) as server:
                done = run(server.address, "--connections", "15", "--messages", "2",
                           "--limit-ms", "700")
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stderr, rf"(?i)\Aclient 7: {problem.replace('?', '.')}")
                self.assertIn(f" {right} answers right\n", done.stdout)

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            address = "127.0.0.1:%d" % closed.getsockname()[1]
        for model in MODELS:
            with self.subTest(model=model):
                done = run(address, "--model", model)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, r"\Aclient 1: cannot connect: .*refused\n\Z")


if __name__ == "__main__":
    main()
