# One client sends 32 MB and reads nothing, at first; the other one does not notice.
source "$(dirname "$0")/common.sh"
start select_queues --listen :0
dial 1
dial 2
echo "client 1 sends 32000000 bytes, and reads nothing"
head -c 32000000 /dev/zero >&"${clients[1]}" &
says
send 2 hello
get 2
echo "client 1 reads $(head -c 32000000 <&"${clients[1]}" | wc -c) bytes"
wait $!
