# One client crashes the server that it has: what happens to the other one?
. "$(dirname "$0")/common.sh"
ulimit -c 0  # no core files

gone() {
  ! IFS= read -r -t 20 -u "${clients[$1]}" _
  echo "client $1 gets  the end of the stream"
}

start process_per_connection --listen :0
dial 1
dial 2
send 2 crash
gone 2
says 1
send 1 hello
get 1
hang_up 1
hang_up 2
finish

start thread_per_connection --listen :0
dial 1
dial 2
send 2 crash
gone 2
gone 1
