# A length that is too large, and a stream that ends within a message.
. "$(dirname "$0")/common.sh"
start framing --listen :0 --model epoll
echo "\$ printf '\\0\\100\\0\\0' | nc -N 127.0.0.1 $port"
printf '\0\100\0\0' | nc -N 127.0.0.1 "$port"
says 1
echo "\$ printf '\\0\\0\\0\\5on' | nc -N 127.0.0.1 $port"
printf '\0\0\0\5on' | nc -N 127.0.0.1 "$port"
says 1
