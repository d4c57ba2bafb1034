"""disk_writer: others are served while an upload goes to the disk, or are not."""
import re
import threading

from tutorial import *

PIECES = 24
LINE = re.compile(r"(\d+) bytes on the disk; longest stall ([\d.]+) ms; "
                  r"(\d+) answers to others while the disk was busy")


class DiskWriter(Case):
    def upload(self, *arguments):
        """Uploads while somebody else asks all the time: (answers while busy, longest stall)."""
        path = self.folder() + "/upload"
        sent = os.urandom(1 << 20) * PIECES
        with start("disk_writer", "--listen", ":0", "--file", path, *arguments) as server:
            address = server.address()
            over = threading.Event()
            asked = []

            def ask():
                with dial(address) as s:
                    while not over.is_set():
                        s.sendall(b"hello!\n")
                        asked.append(receive(s, 7))

            other = threading.Thread(target=ask)
            other.start()
            try:
                with dial(address) as s:
                    s.sendall(b"upload\n" + sent)
                    s.shutdown(socket.SHUT_WR)
                    self.assertEqual(until_end(s).decode(), f"{len(sent)}\n")
            finally:
                over.set()
                other.join()
            self.assertEqual(set(asked), {b"hello!\n"})
            with open(path, "rb") as file:
                self.assertTrue(file.read() == sent, "the file is not what was sent")
            said = LINE.fullmatch(server.line())
            self.assertEqual(int(said[1]), len(sent))
            server.ends_well()
            return int(said[3]), float(said[2])

    def test_others_are_served_while_the_disk_is_busy(self):
        for model in MODELS:
            with self.subTest(model=model):
                answers, _ = self.upload("--model", model)
                self.assertGreater(answers, 0)

    def test_in_the_loop_nobody_is(self):
        for model in (m for m in MODELS if not m.startswith("blocking")):
            with self.subTest(model=model):
                answers, stall = self.upload("--model", model, "--in-loop")
                self.assertEqual(answers, 0)
                self.assertGreater(stall, 0)

    def test_threads_do_not_mind(self):
        answers, _ = self.upload("--model", "blocking/thread", "--in-loop")
        self.assertGreater(answers, 0)


if __name__ == "__main__":
    main()
