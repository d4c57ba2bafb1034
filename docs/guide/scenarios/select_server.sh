# One thread, and nobody waits for another.
source "$(dirname "$0")/common.sh"
start select_server --listen :0
dial 1
says
dial 2
says
send 2 hello
get 2
send 1 "is anybody there?"
get 1
hang_up 1
says
finish
