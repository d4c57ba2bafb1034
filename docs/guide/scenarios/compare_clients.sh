# A thread each and one loop, with one client and with 500.
. "$(dirname "$0")/common.sh"
row='%-16s %8s %7s %4s %9s %8s\n'
for connections in 1 500; do
  options="--models blocking/thread,epoll --connections $connections --duration 400ms"
  echo "\$ iolite compare $options"
  # shellcheck disable=SC2086
  iolite compare $options 2>/dev/null | awk -v row="$row" '
    /^MODEL/ { printf row, "MODEL", "req/s", "CPU us", "+-", "switches", "threads" }
    /^(blocking|epoll)\// { printf row, $1, $2, $5, $8, $10, $12 }'
done
