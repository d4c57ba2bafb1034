# Two people, each with a coroutine that listens and one that speaks to him.
. "$(dirname "$0")/common.sh"
start selectors_chat --listen :0 --model epoll
dial 1
send 1 ann
get 1
dial 2
send 2 bob
get 2
get 1
send 1 "good morning"
get 1
get 2
echo "client 2 leaves"
hang_up 2
get 1
