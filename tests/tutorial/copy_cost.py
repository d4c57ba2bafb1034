"""copy_cost: four ways from a file to a socket, each by the calls it is named after."""
import re

from tutorial import *

# The calls that read the file and those that send it, where the engine makes them itself.
COPY = {"blocking": {"pread", "send"}, "posix_aio": {"aio_read", "aio_write"},
        "io_uring": {"io_uring_enter"}}


class CopyCost(Case):
    def rows(self, engine):
        with start("copy_cost", "--mib", "8", "--model", engine) as program:
            text = program.rest("stdout")
            self.assertEqual(program.status(), 0, program.rest("stderr"))
        first, _, *rows = text.splitlines()
        self.assertEqual(first, f"8 MiB on {engine}")
        found = {}
        for row in rows:
            way, cost, calls = re.fullmatch(r"(\S.*?) +(\d+)   (.*)", row).groups()
            found[way] = int(cost), {c.split()[0] for c in calls.split(", ")}
        return found

    def test_each_way_is_what_it_says(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                rows = self.rows(engine)
                self.assertEqual(list(rows), ["read + send", "mmap + send", "sendfile", "splice"])
                calls = {way: made for way, (_, made) in rows.items()}
                self.assertEqual(calls["read + send"], COPY.get(engine, {"pread", "send"}))
                self.assertFalse(calls["mmap + send"] & {"pread", "aio_read", "sendfile", "splice"})
                self.assertIn("sendfile", calls["sendfile"])
                self.assertIn("splice", calls["splice"])
                for way in "sendfile", "splice":
                    self.assertFalse(calls[way] & {"pread", "send", "aio_read", "aio_write"})
                self.assertTrue(all(cost > 0 for cost, _ in rows.values()), rows)


if __name__ == "__main__":
    main()
