# The best facility that this system has.
source "$(dirname "$0")/common.sh"
start selectors_server --listen :0
says
dial 1
send 1 hello
get 1
