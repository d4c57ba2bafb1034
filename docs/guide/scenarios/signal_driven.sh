# What a line of one client costs.
source "$(dirname "$0")/common.sh"
start signal_driven --listen :0 --every 1
says
dial 1
send 1 one
get 1
skip  # that it has come has its price as well
send 1 two
get 1
skip
send 1 three
get 1
says
