# Edge-triggered, and only one piece is read for a report.
source "$(dirname "$0")/common.sh"
start epoll_server --listen :0 --trigger edge --trap
dial 1
send 1 "the first 16 B, the next 16 B, and the rest"
get 1 16
silent 1
send 1 "is anybody there?"
get 1 16
silent 1
