"""select_queues: a queue for each client, and only those are sent to that have room."""
from tutorial import *
from tutorial import reset

FULL = "client 1 has a full queue, and is read no more"


# 16 MB, no two pieces alike: more than a server with a limit takes.
NUMBERED = b"".join(b"%07d\n" % number for number in range(2_000_000))


def fill(case, s):
    """Sends until nobody takes any more for a while; what was taken."""
    s.settimeout(0.3)
    sent = 0
    try:
        while sent < len(NUMBERED):
            sent += s.send(NUMBERED[sent:sent + 65536])
        case.fail("the queue has no limit")
    except TimeoutError:
        s.settimeout(20)
        return NUMBERED[:sent]


def small(address):
    """A client that the kernel keeps little for, so that it is the queue that fills."""
    host, _, port = address.rpartition(":")
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    s.settimeout(20)
    s.connect((host, int(port)))
    return s


def comes_back(s, taken):
    """Whether the bytes that come are those that were taken."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # a small window is slow
    at = 0
    while at < len(taken):
        piece = s.recv(65536)
        if not piece or not taken.startswith(piece, at):
            return False
        at += len(piece)
    return True


class SelectQueues(Case):
    def test_who_does_not_read_loses_nothing_and_holds_nobody_up(self):
        with start("select_queues", "--listen", ":0") as server:
            address = server.address()
            with small(address) as slow, dial(address) as other:
                taken = fill(self, slow)
                self.assertEqual(server.line(), FULL)
                for number in range(100):
                    text = b"message %d" % number
                    other.sendall(text)
                    self.assertEqual(receive(other, len(text)), text)
                self.assertTrue(comes_back(slow, taken), "lost, or reordered")
                slow.sendall(b"and on")
                self.assertEqual(receive(slow, 6), b"and on")
                slow.close()
                self.assertEqual(server.line(), "client 1 has left")
            server.ends_well()

    def test_the_end_comes_behind_the_queue(self):
        with start("select_queues", "--listen", ":0") as server:
            with small(server.address()) as slow:
                taken = fill(self, slow)
                slow.shutdown(socket.SHUT_WR)
                self.assertEqual(server.line(), FULL)
                self.assertTrue(comes_back(slow, taken), "lost, or reordered")
                self.assertEqual(slow.recv(1), b"")
                self.assertEqual(server.line(), "client 1 has left")
            server.ends_well()

    def test_a_longer_queue_takes_more_before_it_is_full(self):
        taken = []
        for limit in "4", "1000":
            with start("select_queues", "--listen", ":0", "--queue", limit) as server:
                with small(server.address()) as slow:
                    taken.append(len(fill(self, slow)))
                    self.assertEqual(server.line(), FULL)
        self.assertGreater(taken[1] - taken[0], 300 * 4096)  # 996 messages of 4 KiB, or a bit less

    def test_a_reset_with_a_full_queue_harms_nobody(self):
        with start("select_queues", "--listen", ":0") as server:
            address = server.address()
            with small(address) as slow, dial(address) as other:
                fill(self, slow)
                self.assertEqual(server.line(), FULL)
                reset(slow)
                self.assertEqual(server.line(), "client 1 was reset")
                other.sendall(b"alive")
                self.assertEqual(receive(other, 5), b"alive")
            server.ends_well()

    def test_it_sleeps_while_nobody_has_anything_to_say(self):
        """A socket with room is not asked about writing."""
        with start("select_queues", "--listen", ":0") as server, dial(server.address()) as s:
            s.sendall(b"hello")
            self.assertEqual(receive(s, 5), b"hello")
            self.assertTrue(is_silent(s, 0.1))
            before = self.processor_ticks(server)
            self.assertTrue(is_silent(s, 0.5))
            self.assertLess(self.processor_ticks(server) - before, 20)  # 0.2 s; busy it were 0.5 s
            server.ends_well()

    def processor_ticks(self, server):
        with open(f"/proc/{server.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    main()
