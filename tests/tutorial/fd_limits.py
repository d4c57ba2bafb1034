"""fd_limits: select and poll pay for the silent ones, epoll and io_uring do not."""
from tutorial import *


class FdLimits(Case):
    def test_the_table(self):
        with start("fd_limits", "--messages", "300") as program:
            lines = program.rest("stdout").splitlines()
            self.assertEqual(program.status(), 0, program.rest("stderr"))
        self.assertEqual(lines[1].split(), ["silent", "select", "poll", "epoll", "io_uring"])
        rows = {int(line.split()[0]): line.split()[1:] for line in lines[2:]}
        self.assertEqual(list(rows), [10, 100, 1000, 10_000])
        self.assertEqual([rows[n][0] == "-" for n in rows], [False, False, True, True],
                         "select ends at descriptor 1,023")
        few, many = ([float(x) if x != "-" else None for x in rows[n]] for n in (10, 10_000))
        # A thousand times as many: what grows with them grows much more than tenfold.
        self.assertGreater(many[1], 10 * few[1], "poll")
        self.assertLess(many[2], 10 * few[2], "epoll")
        if many[3] is not None:  # where io_uring is allowed
            self.assertLess(many[3], 10 * few[3], "io_uring")

    def test_it_stops_where_the_system_does(self):
        import resource

        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))

        with start("fd_limits", "--messages", "10", prepare=few) as program:
            self.assertIn("1000 descriptors are more than", program.rest("stdout"))
            self.assertEqual(program.status(), 0)


if __name__ == "__main__":
    main()
