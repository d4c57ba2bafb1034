# Two ports, one thread.
. "$(dirname "$0")/common.sh"
start two_ports --listen :0 --second :0 --model epoll
first=$port
hear
echo "$line"
second=${line##*:}
port=$second dial 2
get 2
port=$first dial 1
get 1
send 2 hello
get 2
echo "\$ grep Threads /proc/PID/status"
grep Threads "/proc/$server/status"
