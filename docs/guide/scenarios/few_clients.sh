# With one client, and with 32 at the same time: a thread each, and one thread with select.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
if ! command -v cc >/dev/null; then
  echo "there is no cc" >&2
  exit 77
fi
echo "\$ cc -O2 -pthread few_clients.c && ./a.out"
cc -O2 -pthread "$here/few_clients.c" && ./a.out
