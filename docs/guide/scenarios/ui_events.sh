# Twenty clicks, 30 ms apart: found by a thread that looks every 10 ms, and by one that is woken.
. "$(dirname "$0")/common.sh"
cat >clicks.py <<'END'
import collections, queue, threading, time

def measure(name, put, take):
    looks, late = 0, []
    thread = threading.Thread(target=lambda: [time.sleep(0.03) or put(time.monotonic())
                                              for _ in range(20)])
    thread.start()
    while len(late) < 20:
        looks += 1
        click = take()
        if click is not None:
            late.append(time.monotonic() - click)
    thread.join()
    late.sort()
    print(f"{name:<20}  {looks:5}  {late[10] * 1000:18.3f}")

seen = collections.deque()
def look():
    if seen:
        return seen.popleft()
    time.sleep(0.01)

waiting = queue.SimpleQueue()
print("way                   looks  a click lies for, ms")
measure("looking every 10 ms", seen.append, look)
measure("a queue that wakes", waiting.put, waiting.get)
END
echo "\$ cat clicks.py"
cat clicks.py
echo "\$ python3 clicks.py"
python3 clicks.py
