# A thread each and one loop, with one client and with 100.
. "$(dirname "$0")/common.sh"
row='%-16s %8s %7s %4s %9s %8s\n'
for connections in 1 100; do
  options="--models blocking/thread,epoll --connections $connections"
  options+=" --rounds 3 --duration 400ms --wide"
  echo "\$ iolite compare $options"
  # A server on a busy machine may not have accepted all clients before the end. Then the figures
  # are not those of so many clients (a thread is missing): measured again, whatever they were.
  for _ in 1 2 3; do
    # shellcheck disable=SC2086
    table=$(iolite compare $options 2>/dev/null | awk -v row="$row" '
      /^MODEL/ { printf row, "MODEL", "req/s", "CPU us", "+-", "switches", "threads" }
      /^(blocking|epoll)\// { printf row, $1, $2, $5, $8, $10, $12 }')
    threads=$(awk '/^blocking/ { print $6 }' <<<"$table")
    [[ $threads == $((connections + 1)) ]] && break
  done
  if [[ $threads != $((connections + 1)) ]]; then
    echo "the server had $threads threads, not one for each of $connections clients" >&2
    exit 1
  fi
  echo "$table"
done
