# Clients come until select cannot watch one more.
source "$(dirname "$0")/common.sh"
open_files 4096
start select_server --listen :0
line=
for ((number = 1; number <= 1100; ++number)); do
  before=$line
  dial "$number"
  hear
  [[ $line == *refused* ]] && break
done
echo "..."
echo "$before"
echo "$line"
send 1 "is anybody there?"
get 1
