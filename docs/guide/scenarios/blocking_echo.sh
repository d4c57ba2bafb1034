# Two clients of a server that has time for one.
source "$(dirname "$0")/common.sh"
start blocking_echo --listen :0
dial 1
dial 2
send 1 hello
get 1
send 2 "is anybody there?"
silent 2
send 1 again
get 1
hang_up 1
echo "client 1 leaves"
get 2
