# The same, with the length in front.
. "$(dirname "$0")/common.sh"
start framing --listen :0 --model epoll
echo "\$ printf '\\0\\0\\0\\3one\\0\\0\\0\\3two' | nc -N 127.0.0.1 $port | od -A d -c"
printf '\0\0\0\3one\0\0\0\3two' | nc -N 127.0.0.1 "$port" | od -A d -c
says 2
dial 1
for piece in '\0\0' '\0\3o' 'n' 'e'; do
  printf '%b' "$piece" >&"${clients[1]}"
  echo "client 1 sends  $piece"
done
says 1
