# From a file to a socket in four ways.
. "$(dirname "$0")/common.sh"
echo "\$ copy_cost --mib 128"
copy_cost --mib 128
