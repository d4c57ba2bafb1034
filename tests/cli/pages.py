"""--report: a page with the command's JSON in it, written whole or not at all; how it looks is for web/test."""
import html.parser
import unittest

from command import *
from command import COMMAND

FEW = ("trace", "--rounds", "3", "--delay", "3ms", "--models", "poll")
WITH_PAGE = os.environ.get("IOLITE_WITH_PAGE")
WITHOUT_PAGE = os.environ.get("IOLITE_WITHOUT_PAGE", COMMAND)  # in a tree without web/ it is the same


class DataOf(html.parser.HTMLParser):
    """The text of the script elements that hold JSON."""
    def __init__(self, page):
        super().__init__()
        self.inside, self.found = False, []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.inside = tag == "script" and ("type", "application/json") in attributes

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, text):
        if self.inside:
            self.found.append(text)


class Page(Case):
    def data(self, page):
        found = DataOf(page).found
        self.assertEqual(len(found), 1)
        return json.loads(found[0])

    @unittest.skipUnless(WITH_PAGE, "this build has no page: node, npm or their registry is missing")
    def test_the_page_has_what_json_has(self):
        folder = self.folder()
        done = run(*FEW, "--report", folder + "/x.html", "--json", folder + "/x.json")
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertIn("poll: slept", done.out)
        self.assertEqual(sorted(os.listdir(folder)), ["x.html", "x.json"])
        with open(folder + "/x.html") as page, open(folder + "/x.json") as file:
            data = self.data(page.read())
            self.assertEqual(data["result"], json.load(file))
        cores = {one["what"]: one["found"] for one in run("doctor", "--json", "-").json()}["cores"]
        self.assertIn(("cores", cores), [(one["what"], one["found"]) for one in data["machine"]])
        self.assertEqual((data["command"], run("--version").out), ("trace", f"iolite {data['version']}\n"))

    @unittest.skipUnless(WITH_PAGE, "this build has no page: node, npm or their registry is missing")
    def test_on_standard_output_it_is_alone(self):
        page = run(*FEW, "--report", "-").out
        self.assertTrue(page.startswith("<!doctype html>"), page[:80])
        self.assertEqual(self.data(page)["result"]["models"][0]["model"], "poll")

    @unittest.skipUnless(WITH_PAGE, "this build has no page: node, npm or their registry is missing")
    def test_compare_and_bench_write_one(self):
        page = run("compare", "--models", "poll,epoll", "--rounds", "1", "--duration", "50ms", "--connections", "4",
                   "--report", "-").out
        data = self.data(page)
        self.assertEqual([row["model"] for row in data["result"]], ["poll/shared", "epoll/shared"])
        cores = {one["what"]: one["found"] for one in run("doctor", "--json", "-").json()}["cores"]
        self.assertIn(("cores", cores), [(one["what"], one["found"]) for one in data["machine"]])
        with serve("echo", "--listen", "127.0.0.1:0") as server:
            done = run("bench", server.address(), "--requests", "100", "--report", "-")
            self.assertEqual((done.status, done.err), (0, ""))
            self.assertEqual(self.data(done.out)["result"]["requests"], 100)

    @unittest.skipUnless(WITH_PAGE, "this build has no page: node, npm or their registry is missing")
    def test_it_is_written_whole_or_not_at_all(self):
        folder = self.folder()
        done = run(*FEW, "--report", folder + "/none/x.html")
        self.assertEqual(done.status, 1)
        self.one_line(done.err, "none/x.html.*No such file")
        self.assertEqual(os.listdir(folder), [])
        self.assertEqual(run(*FEW, "--report", "/dev/full").status, 1)

    def test_without_the_page_it_says_so_before_it_measures(self):
        folder = self.folder()
        for words in (FEW, ("compare",), ("bench", "127.0.0.1:1")):
            with self.subTest(words=words):
                done = subprocess.run([WITHOUT_PAGE, *words, "--report", folder + "/x.html"],
                                      text=True, capture_output=True, timeout=20)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.one_line(done.stderr, "--report: this iolite was built without the page: install nodejs")
                self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    main()
