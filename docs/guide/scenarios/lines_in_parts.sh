# Lines that come in parts: a server that puts them together, and one that does not.
. "$(dirname "$0")/common.sh"
start thread_per_connection --listen :0
echo "\$ many_clients --to :$port --connections 50 --upper"
many_clients --to ":$port" --connections 50 --upper
finish
start selectors_server --listen :0
says 1
echo "\$ many_clients --to :$port --connections 1 --upper 2>&1 | cut -d: -f1,2"
many_clients --to ":$port" --connections 1 --upper 2>&1 | cut -d: -f1,2 || true  # it fails
