"""iolite bench: protocols, loads, the server it accounts for, and the rate that meets an objective."""
import base64
import http.server
import socketserver
import struct
import sys
import threading
import time
import zlib

from command import *

QUICK = ["--duration", "300ms", "--warm-up", "50ms"]


class Small(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A server of Python's library, on a free port, for as long as its test."""
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass  # connections that are reset

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def at(self):
        return "127.0.0.1:%d" % self.server_address[1]


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.server.longest = max(self.server.longest, len(line))
            self.wfile.write(b"%d\n" % len(line))


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body=b"", status=200, **fields):
        self.server.seen.append((self.command, self.path, self.headers["Host"], self.client_address))
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/chunks":
            self.answer(b"3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n", Transfer_Encoding="chunked")
        elif self.path == "/close":
            self.answer(b"hello", Content_Length=5, Connection="close")
        elif self.path == "/missing":
            self.answer(b"no", 404, Content_Length=2)
        elif self.path == "/garbage":
            self.wfile.write(b"what?\r\n")
        else:
            self.answer(b"hello", Content_Length=5)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b"%d" % len(body), Content_Length=len(b"%d" % len(body)))


class Served(Case):
    def bench(self, *arguments, status=0):
        done = run("bench", *arguments, "--json", "-")
        self.assertEqual(done.status, status, done.err)
        return done.json()

    def lines(self):
        server = Small(("127.0.0.1", 0), Lines)
        server.longest = 0
        return server

    def web(self):
        server = Small(("127.0.0.1", 0), Web)
        server.seen = []
        return server


class Protocols(Served):
    def test_lines(self):
        with self.lines() as s:
            for more in ([], ["--depth", "5"], ["--size", "1..100"]):
                row = self.bench(s.at, "--protocol", "lines", "--requests", "300", "--connections", "4", *more)
                self.assertEqual((row["requests"], row["errors"]), (300, 0))
            self.assertLessEqual(s.longest, 100)

    def test_http(self):
        with self.web() as s:
            for path in ("/", "/chunks", "/close"):
                with self.subTest(path=path):
                    row = self.bench(f"http://{s.at}{path}", "--requests", "200", "--connections", "4")
                    self.assertEqual((row["requests"], row["errors"]), (200, 0))
            self.assertEqual({seen[:3] for seen in s.seen},
                             {("GET", path, s.at) for path in ("/", "/chunks", "/close")})

    def test_http_with_a_body(self):
        with self.web() as s:
            row = self.bench(s.at, "--protocol", "http", "--path", "/p", "--size", "10..2000", "--requests", "100",
                             "--connections", "2")
            self.assertEqual((row["requests"], row["errors"]), (100, 0))
            self.assertEqual({seen[:2] for seen in s.seen}, {("POST", "/p")})

    def test_an_error_of_the_server_is_an_error(self):
        with self.web() as s:
            done = run("bench", f"http://{s.at}/missing", "--requests", "10", "--connections", "1", "--json", "-")
            self.assertEqual(done.status, 1)
            self.one_line(done.err, "404 Not Found")
            self.assertEqual((done.json()["requests"], done.json()["errors"]), (0, 10))

    def test_what_is_no_http(self):
        with self.web() as s:
            done = run("bench", f"http://{s.at}/garbage", "--requests", "10", "--connections", "1")
            self.assertEqual(done.status, 1)
            self.one_line(done.err, "'what.' is no HTTP answer")


class Loads(Served):
    def test_threads_share_the_work(self):
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            at = s.address()
            row = self.bench(at, "--requests", "1001", "--connections", "7", "--threads", "3")
            self.assertEqual((row["requests"], row["client"]["threads"]), (1001, 3))
            row = self.bench(at, "--threads", "4", "--connections", "2", "--requests", "10")
            self.assertEqual(row["client"]["threads"], 2)  # each has a connection
            row = self.bench(at, *QUICK, "--threads", "2", "--rate", "400/s", "--poisson", "--connections", "8")
            self.assertLess(row["requests"], 400)
            self.assertGreater(row["client"]["cpu_us_per_request"], 0)

    def test_a_stall_in_the_middle_counts_for_all_it_holds_up(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with Running("bench", ":%d" % listener.getsockname()[1], "--connections", "1", "--warm-up", "0",
                         "--duration", "2s", "--rate", "100/s", "--json", "-") as c:
                peer, _ = listener.accept()
                with peer:
                    peer.sendall(receive(peer, 64))
                    held = receive(peer, 64)
                    # Nothing of 0.8 s is answered: as long as a timed receive of what does not come.
                    peer.settimeout(0.8)
                    self.assertRaises(TimeoutError, peer.recv, 1)
                    peer.settimeout(20)
                    peer.sendall(held)
                    while piece := peer.recv(65536):
                        peer.sendall(piece)
                    self.assertEqual(c.status(), 0)
                row = json.loads(c.rest("stdout"))
        self.assertGreaterEqual(row["latency_us"]["max"], 790_000)
        self.assertGreaterEqual(row["latency_us"]["p90"], 400_000)  # of 200, 80 were due meanwhile

    def test_connections_are_replaced(self):
        with self.web() as s:
            self.bench(f"http://{s.at}/", "--requests", "40", "--connections", "1", "--churn", "10")
            ports = [seen[3] for seen in s.seen]
            self.assertEqual([ports.count(port) for port in dict.fromkeys(ports)], [10, 10, 10, 10])

    def test_only_a_share_is_active(self):
        with self.web() as s:
            self.bench(f"http://{s.at}/", "--requests", "60", "--connections", "12", "--active", "25%")
            self.assertEqual(len({seen[3] for seen in s.seen}), 3)

    def test_a_ramp_comes_before_what_is_counted(self):
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            at = s.address()
            for more in ([], ["--rate", "1000/s"]):
                began = time.monotonic()
                row = self.bench(at, "--duration", "200ms", "--warm-up", "0", "--ramp", "300ms", "--connections", "5",
                                 *more)
                self.assertGreaterEqual(row["seconds"], 0.2)
                self.assertGreaterEqual(time.monotonic() - began, row["seconds"] + 0.3)

    def test_all_latencies_in_a_log_of_hdr_histogram(self):
        path = self.folder() + "/run.hlog"
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            row = self.bench(s.address(), "--requests", "1000", "--hdr", path)
        with open(path) as file:
            *comments, names, values = file.read().splitlines()
        self.assertEqual(comments[0], "#[Histogram log format version 1.3]")
        self.assertTrue(names.startswith('"StartTimestamp","Interval_Length","Interval_Max",'))
        counts = decoded(base64.b64decode(values.split(",")[3]))
        self.assertEqual(sum(counts.values()), 1000)
        seen = 0
        for value, count in sorted(counts.items()):
            seen += count
            if seen >= 500:
                break
        self.assertAlmostEqual(value / 1000, row["latency_us"]["p50"], delta=0.001 * value / 1000 + 0.001)

    def test_a_terminal_gets_one_line_that_changes(self):
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            status, out, shown = on_terminal("bench", s.address(), "--duration", "2s")
        self.assertEqual(status, 0)
        self.assertRegex(shown, r"\d+ requests/s, p50 [\d.]+ p99 [\d.]+ ms, 0 errors, (?:warming up, )?\d s left")
        self.assertNotIn("\n", shown)
        self.assertTrue(shown.endswith("\r\x1b[K"))  # nothing of it is left
        self.assertIn("requests", out)

    def test_the_text_fits_a_terminal(self):
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            done = run("bench", s.address(), *QUICK, "--rate", "1000/s", "--poisson", "--churn", "5", "--active", "50%")
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertIn("(Poisson)", done.out)
        self.assertRegex(done.out, r"(?m)^client     1 thread, the busiest used \d+ % of a core")


def decoded(message):
    """Value in nanoseconds -> count, of a compressed V2 histogram: by its specification."""
    cookie, length = struct.unpack(">II", message[:8])
    assert cookie == 0x1c849314, hex(cookie)
    plain = zlib.decompress(message[8:8 + length])
    cookie, length, offset, digits, _, _, ratio = struct.unpack(">IIIIQQd", plain[:40])
    assert (cookie, offset, digits, ratio) == (0x1c849313, 0, 3, 1.0)
    words, at, counts, index = plain[40:40 + length], 0, {}, 0
    while at < len(words):
        value = shift = 0
        while True:
            byte = words[at]
            at += 1
            value |= (byte if shift == 56 else byte & 0x7F) << shift
            shift += 7
            if byte < 128 or shift == 63:
                break
        value = value >> 1 ^ -(value & 1)
        if value < 0:
            index -= value
            continue
        bucket, step = max(0, (index >> 10) - 1), index if index < 2048 else (index & 1023) + 1024
        counts[((step + 1) << bucket) - 1] = value
        index += 1
    return counts


class Servers(Served):
    def check(self, server):
        self.assertGreater(server["cpu_us_per_request"], 0)
        self.assertGreater(server["rss_bytes"], 100_000)
        self.assertGreaterEqual(server["threads"], 1)
        self.assertGreaterEqual(server["descriptors"], 8)
        self.assertIsNone(server["syscalls_per_request"])  # nobody counts them

    def test_a_process_is_accounted_for(self):
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            at = s.address()
            row = self.bench(at, *QUICK, "--pid", str(s.process.pid), "--connections", "8")
            self.check(row["server"])
            done = run("bench", at, *QUICK, "--pid", str(s.process.pid))
            self.assertRegex(done.out, r"(?m)^server     \d+\.\d\d us of CPU and [\d.]+ context switches")

    def test_children_are_accounted_for(self):
        with serve("echo", "--model", "epoll/prefork", "--workers", "3", "--listen", ":0") as s:
            row = self.bench(s.address(), *QUICK, "--pid", str(s.process.pid), "--connections", "8")
        self.check(row["server"])
        self.assertEqual(row["server"]["processes"], 4)

    def free_port(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            return s.getsockname()[1]

    def test_a_command_is_started_and_ended(self):
        at = f"127.0.0.1:{self.free_port()}"
        row = self.bench(at, *QUICK, "--connections", "8", "--", os.environ["IOLITE_COMMAND"], "serve", "echo", "--model",
                         "epoll", "--listen", at)
        self.check(row["server"])
        with self.assertRaises(ConnectionRefusedError):
            dial(at)

    def bench(self, *arguments, status=0):
        if "--" not in arguments:
            return super().bench(*arguments, status=status)
        at = arguments.index("--")
        done = run("bench", *arguments[:at], "--json", "-", *arguments[at:])
        self.assertEqual(done.status, status, done.err)
        return done.json()

    def fails(self, says, *arguments):
        done = run("bench", *arguments)
        self.assertEqual(done.status, 1)
        self.one_line(done.err, says)
        return done

    def test_a_command_that_cannot_be_run(self):
        self.fails("cannot run /none/such: No such file", ":1", "--", "/none/such")

    def test_a_command_that_ends_at_once(self):
        self.fails("false ended before it listened at 127.0.0.1:1", ":1", "--", "false")

    def test_a_process_that_is_not_there(self):
        self.fails("there is no process 4194304", ":1", "--pid", "4194304")

    def test_a_command_that_dies_under_load(self):
        program = ("import os, socket\n"
                   "s = socket.create_server(('127.0.0.1', %d))\n"
                   "s.accept()\n"  # of the one that waits until it listens
                   "c, _ = s.accept()\n"
                   "for _ in range(10): c.sendall(c.recv(64))\n"
                   "os._exit(3)\n")
        port = self.free_port()
        done = run("bench", f":{port}", "--connections", "1", "--duration", "5s", "--", sys.executable, "-c", program % port)
        self.assertEqual(done.status, 1)
        self.one_line(done.err, "the server ended with status 3 while it was loaded")
        self.assertRegex(done.out, r"(?m)^requests   \d+ in")  # what was measured is shown


class Objectives(Case):
    def test_the_highest_rate_is_searched(self):
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            done = run("bench", s.address(), "--slo", "p50=200ms", "--duration", "100ms", "--warm-up", "0",
                       "--connections", "4", "--json", "-", limit=60)
        self.assertEqual(done.status, 0, done.err)
        slo = done.json()["slo"]
        self.assertEqual(set(slo), {"objective", "rate", "missed", "trials"})
        self.assertEqual(slo["objective"], "p50=200ms")
        met = [t["rate"] for t in slo["trials"] if t["met"]]
        missed = [t["rate"] for t in slo["trials"] if not t["met"]]
        self.assertEqual(slo["rate"], met[-1])
        self.assertEqual(slo["missed"], missed[-1] if missed else None)
        self.assertEqual(set(slo["trials"][0]), {"rate", "met", "requests_per_second", "p50", "p99", "max", "errors"})

    def test_an_objective_that_no_rate_meets(self):
        with serve("echo", "--model", "epoll", "--listen", ":0") as s:
            done = run("bench", s.address(), "--slo", "max=1ns", "--duration", "20ms", "--warm-up", "0", "--connections", "2")
        self.assertEqual(done.status, 1)
        self.one_line(done.err, r"no rate from \d+/s on meets max=1ns")
        self.assertRegex(done.out, r"(?m)^ *rate/s  answered/s")
        self.assertIn("No rate tried meets max=1ns.", done.out)


if __name__ == "__main__":
    main()
