# An upload of 32 MiB, while another client asks all the time.
. "$(dirname "$0")/common.sh"
upload() {
  start disk_writer --listen :0 "$@"
  (while echo 'hello!'; do :; done) 2>/dev/null | nc 127.0.0.1 "$port" >/dev/null &
  echo "\$ (echo upload; head -c 32M /dev/zero) | nc -N 127.0.0.1 $port"
  (echo upload; head -c 32M /dev/zero) | nc -N 127.0.0.1 "$port"
  finish
  wait %% 2>/dev/null || true
}
upload --model epoll --in-loop
upload --model epoll
upload --model blocking/thread --in-loop
