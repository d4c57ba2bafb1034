# A message of 100 bytes, read in pieces of 16, with each trigger.
source "$(dirname "$0")/common.sh"
for trigger in level edge oneshot; do
  start epoll_server --listen :0 --trigger $trigger
  dial 1
  printf '%0100d' 0 >&"${clients[1]}"
  echo "client 1 sends 100 bytes, and gets $(head -c 100 <&"${clients[1]}" | wc -c) back"
  hang_up 1
  says
  finish
done
