"""One measurement: a server is started, loaded, and ended; what it used is read from the kernel."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

STARTING = 10  # seconds a server may take until it listens
CONNECTING = 60  # and until the load generator has its connections


class Failed(Exception):
    """Why a server could not be measured."""


# --- where they run ---

def cores(of_server=1):
    """(the server's, the load generator's): apart as long as there are enough."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) > of_server:
        return set(usable[:of_server]), {usable[of_server]}
    return set(usable[:of_server]), set(usable)


def pinned(to, realtime):
    def prepare():
        os.sched_setaffinity(0, to)
        if realtime:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    return prepare


# --- a server's life ---

class Running:
    def __init__(self, command, to, realtime):
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.said, text=True,
                                        preexec_fn=pinned(to, realtime))
        self.pid = self.process.pid
        self.usage = None
        timer = None
        try:
            signal.signal(signal.SIGALRM, _too_late)
            timer = signal.alarm(STARTING)
            line = self.process.stdout.readline()
        except TimeoutError:
            line = ""
        finally:
            if timer is not None:
                signal.alarm(0)
        match = re.match(r"listening on (127\.0\.0\.1:\d+|unix:\S+)", line)
        if not match:
            self.process.kill()
            self.process.wait()
            self.said.seek(0)
            words = self.said.read().strip().splitlines()
            raise Failed("it does not listen: " + (words[-1] if words else "it said nothing"))
        self.address = match[1]
        self.used_before = used_so_far(self.pid)

    def stop(self):
        """Ends it; its rusage is in .usage."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        for _ in range(500):
            pid, _status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.01)
        else:
            os.kill(self.pid, signal.SIGKILL)
            _pid, _status, usage = os.wait4(self.pid, 0)
        self.process.returncode = 0
        self.process.stdout.close()
        self.said.close()
        self.usage = usage


def _too_late(_signal, _frame):
    raise TimeoutError


@contextlib.contextmanager
def running(command, workload, realtime=False):
    """A server that listens, at a port of the system's choice or in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        at = f"unix:{folder}/s" if workload.unix else "127.0.0.1:0"
        server = Running([*command, "--listen", at], cores(workload.cores)[0], realtime)
        try:
            yield server
        finally:
            if server.usage is None:
                server.stop()


def used_so_far(pid):
    """Seconds of processor time of a process: clock_getcpuclockid(3)."""
    return time.clock_gettime(((~pid) << 3) | 2)


def load(build, server, workload, seconds, warm_up, realtime=False, clock=True):
    told = ["--to", server.address, "--warm-up", str(warm_up), "--duration", str(seconds)]
    if clock:
        told += ["--server", str(server.pid)]
    try:
        done = subprocess.run([build / "load", *told, *workload.load], capture_output=True, text=True,
                              preexec_fn=pinned(cores(workload.cores)[1], realtime),
                              timeout=seconds + warm_up + CONNECTING)
    except subprocess.TimeoutExpired:
        raise Failed("the load generator did not come to an end") from None
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    return json.loads(done.stdout)


def measure(build, command, workload, o):
    """Processor time, rate and latency, every byte compared."""
    with running(command, workload, o.realtime) as server:
        out = load(build, server, workload, o.seconds, o.warm_up, o.realtime)
        server.stop()
        if out["requests"] == 0:
            raise Failed(f"not one {workload.unit} within {o.seconds} s")
        usage = server.usage
        out["cpu_us"] = out["server_cpu_seconds"] / out["requests"] * 1e6
        out["rate"] = out["requests"] / out["seconds"]
        out["tail"] = out["p99_9_us"] / out["p50_us"] if out["p50_us"] else 0
        out["server_busy"] = out["server_cpu_seconds"] / out["seconds"]
        out["load_busy"] = out["load_cpu_seconds"] / out["seconds"]
        out["switches"] = (usage.ru_nvcsw + usage.ru_nivcsw) / out["all_requests"]
        out["wait4_cpu_us"] = ((usage.ru_utime + usage.ru_stime - server.used_before) /
                               out["all_requests"] * 1e6)
        return out


# --- memory ---

def private_bytes(pid):
    """What is the process's alone: heap and stacks, not its program and libraries."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+) kB", text, re.M)[1]) * 1024


def measure_memory(build, command, workload, o):
    """Bytes of the server's own memory for each connection that has answered once and idles."""
    with running(command, workload) as server:
        before = private_bytes(server.pid)
        holder = subprocess.Popen([build / "load", "--to", server.address, *workload.load],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True,
                                  preexec_fn=pinned(cores()[1], False))
        line = holder.stdout.readline()
        if not line.startswith("holding"):
            raise Failed(holder.communicate()[1].strip())
        time.sleep(0.1)
        after = private_bytes(server.pid)
        holder.communicate()
        return {"bytes_per_connection": (after - before) / workload.connections,
                "before_bytes": before, "after_bytes": after}


# --- system calls, in a run of their own ---

# What an I/O server may call for each request. perf(1) takes long to arm a counter.
COUNTED = """read write readv writev recvfrom sendto recvmsg sendmsg accept4 accept close shutdown
    setsockopt ioctl fcntl epoll_wait epoll_pwait epoll_pwait2 epoll_ctl poll ppoll select pselect6
    rt_sigtimedwait io_uring_enter futex mmap munmap mremap clone3 sched_yield nanosleep""".split()


def count_by_perf(pid, run):
    """{name: calls} of a process while run() runs, counted inside the kernel."""
    events = [f"syscalls:sys_enter_{name}" for name in COUNTED] + ["raw_syscalls:sys_enter"]
    with tempfile.NamedTemporaryFile("r") as table:
        perf = subprocess.Popen(["perf", "stat", "-x;", "-o", table.name, "-p", str(pid), "-e",
                                 ",".join(events)], stderr=subprocess.DEVNULL)
        time.sleep(0.5)  # it arms them
        try:
            if perf.poll() is not None:
                return None
            run()
        finally:
            if perf.poll() is None:
                perf.send_signal(signal.SIGINT)
            perf.wait()
        found = re.findall(r"^(\d+);;\w+:sys_enter_?(\w*);", table.read(), re.M)
    counted = {name: int(n) for n, name in found}
    others = counted.pop("", 0) - sum(counted.values())
    return {**counted, "others": max(others, 0)} if counted else None


def count_by_strace(build, command, workload, o):
    """({name: calls}, requests) of a whole run under strace(1), which slows it much."""
    if not shutil.which("strace"):
        raise Failed("neither perf(1) nor strace(1) can count system calls here")
    with tempfile.NamedTemporaryFile("r") as table:
        traced = ["strace", "-f", "-c", "-U", "name,calls", "-o", table.name, *command]
        with running(traced, workload) as server:
            # strace(1) holds signals back; its child is the server.
            children = pathlib.Path(
                f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            report = load(build, server, workload, o.seconds, o.warm_up, clock=False)
            for child in children:
                os.kill(int(child), signal.SIGTERM)
            server.process.wait()
            server.usage = ()
        found = re.findall(r"^(\w+)\s+(\d+)\s*$", table.read(), re.M)
    return {name: int(n) for name, n in found if name != "total"}, report["all_requests"]


def calls_per_request(build, command, workload, o):
    """(name, a request), most frequent first."""
    counted = None
    if shutil.which("perf"):
        reports = []
        with running(command, workload) as server:
            counted = count_by_perf(server.pid, lambda: reports.append(
                load(build, server, workload, o.seconds, o.warm_up)))
        requests = reports[0]["all_requests"] if reports else 0
    if not counted:
        counted, requests = count_by_strace(build, command, workload, o)
    out = [(name, n / requests) for name, n in counted.items()]
    return sorted((c for c in out if c[1] >= 0.005), key=lambda c: -c[1])


if __name__ == "__main__":
    sys.exit("started by bench/run")
