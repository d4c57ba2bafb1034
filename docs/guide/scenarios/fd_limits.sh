# One message beside many descriptors on which nothing happens.
source "$(dirname "$0")/common.sh"
needs_io_uring
open_files 10100
echo "\$ fd_limits --messages 1000"
fd_limits --messages 1000
