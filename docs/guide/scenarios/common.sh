# What the scenarios share: a server in the background whose lines are read one by one, and clients
# with numbers. Everything that happens is printed. Nothing here waits for a length of time, but
# for `silent`, which shows that nothing comes.
# shellcheck shell=bash
set -euo pipefail

declare -A clients=()
servers=()
end_all() {
  for pid in "${servers[@]}"; do
    kill "$pid" 2>/dev/null || continue
    wait "$pid" 2>/dev/null || true
  done
}
trap end_all EXIT

# start COMMAND ARG...: a server that says where it listens. Sets server (its PID) and port.
start() {
  echo "\$ $* &"
  exec {said}< <(exec "$@" 2>&1)
  server=$!
  servers+=("$server")
  hear
  echo "$line"
  [[ $line =~ ^listening\ on\ .*:([0-9]+) ]]
  port=${BASH_REMATCH[1]}
}

# hear: the server's next line, into $line. says [N]: prints the next N. skip: leaves one out.
hear() {
  IFS= read -r -t 20 -u "$said" line && return
  echo "the server says nothing more" >&2
  return 1
}
says() { for _ in $(seq "${1:-1}"); do hear; echo "$line"; done; }
skip() { hear; echo "..."; }

# finish: what ^C does, and what the server says then.
finish() {
  kill -INT "$server"
  while IFS= read -r -t 20 -u "$said" line; do echo "$line"; done
  wait "$server" || true
  servers=()
}

# dial CLIENT: connects. hang_up CLIENT: closes.
dial() {
  local fd
  exec {fd}<>"/dev/tcp/127.0.0.1/$port"
  clients[$1]=$fd
}
hang_up() {
  local fd=${clients[$1]}
  exec {fd}>&-
  unset "clients[$1]"
}

# send CLIENT TEXT: a line. get CLIENT [BYTES]: the next line that comes, or as many bytes.
# silent CLIENT: nothing comes.
send() {
  echo "client $1 sends $2"
  echo "$2" >&"${clients[$1]}"
}
get() {
  local text
  IFS= read -r -t 20 ${2:+-N "$2"} -u "${clients[$1]}" text
  echo "client $1 gets  $text"
}
silent() {
  local text
  if IFS= read -r -t 0.3 -u "${clients[$1]}" text; then
    echo "client $1 gets  $text, and should not" >&2
    exit 1
  fi
  echo "client $1 gets  nothing in 0.3 s"
}

# needs_io_uring: ends the scenario where it is not allowed.
needs_io_uring() {
  local found
  found=$(iolite doctor) || true  # it fails when something else is missing
  grep -q '^ok .*engine io_uring' <<<"$found" && return
  echo "io_uring is not available here" >&2
  exit 77
}

# open_files N: so many for this scenario and its programs; ends it where that is not allowed.
open_files() {
  ulimit -n "$1" 2>/dev/null && return
  echo "only $(ulimit -Hn) open files are allowed here, not $1" >&2
  exit 77
}
