# One connection: each call of each request is seen.
source "$(dirname "$0")/common.sh"
needs_io_uring
models=blocking,nonblocking,select,poll,epoll,signal,posix_aio,io_uring
echo "\$ iolite compare --wide --connections 1 --duration 300ms --rounds 1 --models $models"
iolite compare --wide --connections 1 --duration 300ms --rounds 1 --models $models 2>/dev/null |
  sed '/^$/d; /^us:/,$d'
echo "..."
