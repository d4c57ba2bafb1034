# Three waits: in turn, in threads, in one loop.
. "$(dirname "$0")/common.sh"
echo "\$ three_tasks --model epoll"
three_tasks --model epoll
