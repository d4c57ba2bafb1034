# Sentences about multiplexing that are often read, asked of the kernel.
. "$(dirname "$0")/common.sh"
open_files 4096
cat >ask.py <<'END'
import errno, mmap, os, resource, select

epoll = select.epoll()
print("1. memory that epoll shares with the program:",
      sum("eventpoll" in line for line in open("/proc/self/maps")), "mappings")
try:
    mmap.mmap(epoll.fileno(), 4096)
except OSError as e:
    print("   mmap(2) of an epoll descriptor:", errno.errorcode[e.errno])

pipes = [os.pipe() for _ in range(500)]
for reader, writer in pipes:
    os.write(writer, b"x")
    epoll.register(reader, select.EPOLLIN)
told = [epoll.poll(timeout=0, maxevents=1) for _ in pipes]
print("2. maxevents 1, and 500 descriptors that are ready:",
      len({fd for (fd, _), in told}), "different ones in 500 waits")

high = os.dup2(pipes[0][0], 1024)
print("3. limit of open files:", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
try:
    select.select([high], [], [], 0)
except ValueError as e:
    print("   select of descriptor 1024:", e)
poll = select.poll()
poll.register(high, select.POLLIN)
print("   poll of descriptor 1024: ready" if poll.poll(0) else "   poll: nothing")
for reader, writer in pipes[:490]:
    epoll.unregister(reader)
    os.close(reader)
    os.close(writer)
low = os.dup(high)
print(f"   select of descriptor {low}, with {high} open:",
      "ready" if select.select([low], [], [], 0)[0] else "nothing")
END
echo "\$ ulimit -n 4096"
echo "\$ cat ask.py"
cat ask.py
echo "\$ python3 ask.py"
python3 ask.py
