# From a file to a socket in four ways, on a thread that makes the calls itself: no helper is woken.
. "$(dirname "$0")/common.sh"
echo "\$ copy_cost --model blocking --mib 128"
copy_cost --model blocking --mib 128
