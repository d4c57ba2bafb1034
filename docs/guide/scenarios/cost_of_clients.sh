# What 200 clients cost a server with a thread each, with a process each, and with one loop.
. "$(dirname "$0")/common.sh"

# Clients 2 to 200 connect, and each is answered once.
crowd() {
  for i in {2..200}; do
    dial "$i"
    echo hello >&"${clients[$i]}"
    IFS= read -r -t 20 -u "${clients[$i]}" _
  done
}
leave() { for i in "${!clients[@]}"; do hang_up "$i"; done; }

for program in thread_per_connection process_per_connection; do
  start "$program" --listen :0
  dial 1
  crowd
  send 1 cost
  get 1
  leave
  finish
done

start iolite serve echo --model epoll --listen :0
look() {
  echo "\$ grep -h -e Threads -e Pss_Anon /proc/PID/status /proc/PID/smaps_rollup  # clients: $1"
  grep -h -e Threads -e Pss_Anon "/proc/$server/status" "/proc/$server/smaps_rollup"
}
look 0
crowd
look 199
