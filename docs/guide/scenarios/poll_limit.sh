# The same clients on poll.
source "$(dirname "$0")/common.sh"
open_files 4096
start poll_server --listen :0
for number in {1..1100}; do
  dial "$number"
  hear
done
echo "..."
echo "$line"
send 1100 "is anybody there?"
# Not `get`: read -t of bash waits with select itself.
echo "client 1100 gets  $(head -n 1 <&"${clients[1100]}")"
