"""A copy of the tree in which something is changed and built, and the tests of that copy.

For what tests the tests: known bugs (tests/planted) and mutants (tests/mutate). The original stays
as it is, and what is the same in both is built once: see ccache(1).
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = ("CMakeLists.txt", "CMakePresets.json", "apps", "cmake", "include", "src", "tests",
         "examples", "docs", "bench", "web")
ARGUMENT_MAX = 100_000  # characters: see execve(2), MAX_ARG_STRLEN
OPTIONS = ("-DIOLITE_TEST_PACKAGE=OFF", "-DIOLITE_EXAMPLES=OFF", "-DIOLITE_WEB=OFF",
           "-DCMAKE_GTEST_DISCOVER_TESTS_DISCOVERY_MODE=PRE_TEST")


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", **options)


def linker():
    """Linking is most of the work where one file has changed."""
    quick = next((name for name in ("mold", "lld") if shutil.which("ld." + name)), None)
    return [f"-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld={quick}"] if quick else []


class Tree:
    """Lies in build/NAME/tree, and is built as deep as the original is: ccache takes it for that."""

    def __init__(self, name, preset="dev"):
        self.name = name
        self.preset = preset
        self.path = ROOT / "build" / name / "tree"
        self.build_path = self.path / "build" / preset
        self.flags = []  # files, until the copy is not used any more
        self.environment = dict(os.environ, CCACHE_BASEDIR=str(self.path), CCACHE_NOHASHDIR="1")

    def known_files(self):
        out = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others",
                              "--exclude-standard", *PARTS], check=True, stdout=subprocess.PIPE,
                             text=True).stdout
        return [f for f in out.split("\0") if f and (ROOT / f).is_file()]

    def write(self, name, text):
        """What is the same already keeps its time, and is not built again."""
        copy = self.path / name
        if copy.is_file() and copy.read_bytes() == text:
            return
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(text)

    def refresh(self, files):
        """Makes these files those of the original."""
        for name in files:
            self.write(name, (ROOT / name).read_bytes())
            shutil.copymode(ROOT / name, self.path / name)

    def copy(self, but=()):
        """Makes all files those of the original, without touching those."""
        known = set(self.known_files())
        self.refresh(f for f in known if f not in but)
        for copy in self.path.rglob("*"):
            name = copy.relative_to(self.path).as_posix()
            if copy.is_file() and not name.startswith("build/") and name not in known | set(but):
                copy.unlink()

    def configure(self, *options):
        if (self.build_path / "build.ninja").is_file():  # it looks after itself from then on
            return
        configured = run(["cmake", "--preset", self.preset, *OPTIONS, *linker(), *options],
                         cwd=self.path, env=self.environment)
        if configured.returncode != 0:
            sys.exit(configured.stdout + f"{self.name}: could not configure the copy")

    def build(self, targets, *options):
        """None, or what the compiler said."""
        named = [t for target in sorted(targets) for t in ("--target", target)]
        jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 2))
        built = run(["cmake", "--build", "--preset", self.preset, "-j", jobs, *named, *options],
                    cwd=self.path, env=self.environment)
        return None if built.returncode == 0 else built.stdout

    def target(self, suite):
        return "iolite_command" if suite == "cli" else suite

    def executable(self, suite):
        found = [p for p in (self.build_path / "tests").glob(f"*/{suite}") if p.is_file()]
        if len(found) != 1:
            sys.exit(f"{self.name}: there is no suite {suite}")
        return str(found[0])

    def command(self, suite, test_filter):
        """How those tests of a suite are run, the first failure being the last test."""
        if suite == "cli":  # FILE.CLASS or FILE.CLASS.TEST
            file, names = test_filter.split(".", 1)
            return [sys.executable, str(self.path / "tests/cli" / (file + ".py")), names]
        if suite.startswith("fuzz_"):
            return [self.executable(suite), str(self.path / "tests/fuzz/corpus" / suite[5:])]
        flags = [f"--gtest_filter={test_filter}", "--gtest_fail_fast", "--gtest_brief=0"]
        if len(test_filter) > ARGUMENT_MAX:
            written = tempfile.NamedTemporaryFile("w", prefix="iolite-flags-")
            written.write("\n".join(flags))
            written.flush()
            self.flags.append(written)
            flags = [f"--gtest_flagfile={written.name}"]
        return [self.executable(suite), *flags]

    def first_failure(self, suite, test_filter, seconds, **variables):
        """The first test that fails, with what else is to be said of it; None when all pass."""
        environment = dict(os.environ, IOLITE_COMMAND=str(self.build_path / "apps" / "iolite"),
                           PYTHONDONTWRITEBYTECODE="1", **variables)
        hangs = False
        # A session of its own: servers that the tests have started end with them.
        with subprocess.Popen(self.command(suite, test_filter), cwd=self.build_path,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              env=environment, start_new_session=True) as tests:
            try:
                said = tests.communicate(timeout=seconds)[0]
            except subprocess.TimeoutExpired:
                os.killpg(tests.pid, signal.SIGKILL)
                said, hangs = tests.communicate()[0], True
        if not hangs and tests.returncode == 0:
            if re.search(r"^\[==========\] Running 0 tests", said, re.M):
                sys.exit(f"{self.name}: {suite} has no test {test_filter}")
            return None
        return failure_in(said, suite, hangs)


def failure_in(said, suite, hangs=False):
    """What the output of failing tests names."""
    started = re.findall(r"\[ RUN      \] (\S+)", said)
    last = started[-1] if started else suite
    if hangs:
        return last + " (hangs)"
    failed = (re.search(r"\[  FAILED  \] ([^\s,]+)", said)
              or re.search(r"^(?:FAIL|ERROR): (\w+)", said, re.M))
    return failed[1] if failed else last + " (stops)"
