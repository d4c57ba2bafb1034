# Three waits of 300 ms.
source "$(dirname "$0")/common.sh"
echo "\$ three_tasks"
three_tasks
