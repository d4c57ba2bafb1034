# One-shot, and nobody arms the client again.
source "$(dirname "$0")/common.sh"
start epoll_server --listen :0 --trigger oneshot --trap
dial 1
send 1 "the first 16 B, the next 16 B, and the rest"
get 1 16
silent 1
send 1 "is anybody there?"
silent 1
