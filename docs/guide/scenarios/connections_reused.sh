# Ten tasks, fifty requests, three connections.
. "$(dirname "$0")/common.sh"
start thread_per_connection --listen :0
echo "\$ connection_pool --to :$port --connections 3 --tasks 10 --requests 5"
connection_pool --to ":$port" --connections 3 --tasks 10 --requests 5
