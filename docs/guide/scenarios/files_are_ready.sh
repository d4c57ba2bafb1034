# What the multiplexing calls say of a file.
. "$(dirname "$0")/common.sh"
echo hello >file
cat >ask.py <<'END'
import select
f = open("file")
print("select:", select.select([f], [], [], 0)[0] == [f])
f.read()
print("select, at the end of the file:", select.select([f], [], [], 0)[0] == [f])
try:
    select.epoll().register(f)
except OSError as e:
    print("epoll:", e.strerror)
END
echo "\$ cat ask.py"
cat ask.py
echo "\$ python3 ask.py"
python3 ask.py
