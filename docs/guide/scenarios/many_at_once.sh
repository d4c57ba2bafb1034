# 500 clients at once, against a thread each and against one loop.
. "$(dirname "$0")/common.sh"
start thread_per_connection --listen :0
echo "\$ many_clients --to :$port --connections 500 --upper"
many_clients --to ":$port" --connections 500 --upper
finish
start iolite serve echo --model epoll --listen :0
echo "\$ many_clients --to :$port --connections 500"
many_clients --to ":$port" --connections 500
