"""watch: runs a command again when a file has changed, and ends a run that still goes on."""
from programs import *


class Watch(Case):
    def each(self, *command):
        for model in MODELS:
            folder = self.folder()
            with self.subTest(model=model), \
                    start("watch", folder, *command, model=model.split("/")[0]) as w:
                yield w, pathlib.Path(folder)

    def test_it_runs_again_after_a_change(self):
        for w, folder in self.each("sh", "-c", "echo ran; exit 3"):
            for change in (lambda: (folder / "a").write_text("one"),
                           lambda: (folder / "a").rename(folder / "b"),
                           lambda: (folder / "b").unlink(), lambda: None):
                self.assertEqual([w.line(), w.line()], ["ran", "watch: exit status 3"])
                change()

    def test_a_run_that_goes_on_is_ended(self):
        for w, folder in self.each("sh", "-c", "echo ran; exec sleep 1000"):
            for n in range(3):
                self.assertEqual(w.line(), "ran")
                (folder / "a").write_text(str(n))
                self.assertEqual(w.line(), "watch: ended by signal 15")
            self.assertEqual(w.line(), "ran")
            w.send(signal.SIGTERM)  # that of the command is this test's to end
            self.assertEqual(w.status(), 128 + signal.SIGTERM)

    def test_a_run_that_does_not_want_to_end(self):
        command = "trap '' TERM; echo ran; while :; do sleep 1000; done"
        for w, folder in self.each("sh", "-c", command):
            self.assertEqual(w.line(), "ran")
            (folder / "a").write_text("")
            self.assertEqual(w.line(), "watch: ended by signal 9")

    def test_what_cannot_be_watched_or_run(self):
        for model in MODELS:
            engine = model.split("/")[0]
            with self.subTest(model=model), start("watch", "/no/such", "true", model=engine) as w:
                self.assertEqual(w.status(), 1)
                self.assertEqual(w.line("stderr"), "iolite: No such file or directory")
            with self.subTest(model=model), start("watch", "/", "/no/such", model=engine) as w:
                self.assertEqual(w.status(), 1)
                self.assertEqual(w.line("stderr"), "iolite: No such file or directory")


if __name__ == "__main__":
    main()
