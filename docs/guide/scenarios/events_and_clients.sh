# Events from another thread and lines from a client, in one loop.
. "$(dirname "$0")/common.sh"
start event_queue --listen :0 --every-ms 200
dial 1
says 3
send 1 "what so far?"
get 1
says 1
