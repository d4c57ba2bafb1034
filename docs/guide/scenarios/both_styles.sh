# The same talk with callbacks and with coroutines.
. "$(dirname "$0")/common.sh"
for style in callbacks coroutines; do
  start coroutines --listen :0 --model epoll --style "$style"
  echo "\$ printf '17\\n25\\n' | nc -N 127.0.0.1 $port"
  printf '17\n25\n' | nc -N 127.0.0.1 "$port"
  finish
done
