# What it costs to enter the kernel, and to change threads there.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
if ! command -v cc >/dev/null; then
  echo "there is no cc" >&2
  exit 77
fi
echo "\$ cc -O2 -pthread switch_cost.c && ./a.out"
cc -O2 -pthread "$here/switch_cost.c" && ./a.out
