# What is to be called hangs on the descriptor.
. "$(dirname "$0")/common.sh"
start selectors_server --listen :0
says 1
dial 1
dial 2
send 2 hello
get 2
send 1 "hello again"
get 1
