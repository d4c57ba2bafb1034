# Two messages in one receive, and one message in three.
. "$(dirname "$0")/common.sh"
start framing --listen :0 --model epoll --without-frames
dial 1
kill -STOP "$server"  # it is busy with something else
trap 'kill -CONT "$server"; end_all' EXIT
printf one >&"${clients[1]}"
echo "client 1 sends  one"
printf two >&"${clients[1]}"
echo "client 1 sends  two"
# Until all six bytes are in the server's socket.
until grep -q "$(printf ':%04X ' "$port").* 01 ........:00000006" /proc/net/tcp; do :; done
kill -CONT "$server"
says 1
printf '%10000s' >&"${clients[1]}"
echo "client 1 sends  10000 bytes"
says 3
