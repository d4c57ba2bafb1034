# Two workers, three clients.
. "$(dirname "$0")/common.sh"
start thread_pool --listen :0 --workers 2
dial 1
get 1
dial 2
get 2
dial 3
send 3 hello
silent 3
send 1 hello
get 1
echo "client 1 leaves"
hang_up 1
get 3
get 3
