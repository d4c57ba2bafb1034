# One client keeps its thread busy for a second; the other one does not notice.
source "$(dirname "$0")/common.sh"
start thread_per_connection --listen :0
dial 1
dial 2
send 1 sleep
send 2 hello
get 2
silent 1
get 1
