# Twenty clients, a hundred lines each. The server is held while they send, so that it finds twenty
# lines at a time, as a busy one does.
source "$(dirname "$0")/common.sh"
needs_io_uring
for program in signal_driven posix_aio io_uring_echo; do
  start "$program" --listen :0
  says
  for number in {1..20}; do dial "$number"; done
  echo "20 clients send 100 lines each, all at the same time"
  for _ in {1..100}; do
    kill -STOP "$server"
    for fd in "${clients[@]}"; do echo hello >&"$fd"; done
    kill -CONT "$server"
    for fd in "${clients[@]}"; do read -r -t 20 -u "$fd" _; done
  done
  hear  # the first thousand, with the price of twenty connections in it
  says
  for number in {1..20}; do hang_up "$number"; done
  kill "$server"
done
