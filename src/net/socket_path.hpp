// How a listening unix socket gets its path, and how the path is removed again.
//
// bind(2) makes a file that outlives the socket, so a server that was killed leaves one behind, and
// the next one has to remove it. connect(2) alone does not tell what may be removed: it says
// ECONNREFUSED for an abandoned socket, for any file that is no socket, and for the socket of a
// server that has called bind(2) and not yet listen(2). Therefore a path is taken over only
//   - if lstat(2), which follows no symbolic link, finds a socket there, and nobody listens on it,
//   - under the lock of the directory that contains it, which every server of this library holds
//     from before bind(2) until after listen(2). Of several that start at once the first one gets
//     the path, and the others find it in use.
//
// The lock is flock(2) on the directory itself. A lock file beside the path would be litter after a
// crash, and in a sticky directory that of another user cannot be opened. Binding a temporary name
// and moving it into place needs no lock, but rename(2) replaces whatever is there at that moment,
// a path has room for 107 bytes, and getsockname(2) and the clients would see the temporary name.
//
// A directory that may not be read, or is locked by others for 100 ms, does not keep a server from
// a path that is free; it only takes over none. A server that does not take this lock may make a
// socket between connect(2) and unlink(2), and lose it: POSIX has no call that closes this gap.
#pragma once
#include "iolite/listener.hpp"
#include "kernel/kernel.hpp"

namespace iolite {

// bind(2) and listen(2) of `fd` at a path: 0 or -errno; `made` is the file then. After an error
// nothing is left behind.
[[nodiscard]] int listen_at_path(kernel& os, int fd, const endpoint& at, int backlog,
                                 detail::socket_path& made) noexcept;

// Removes the file, unless it is gone or another one has come in its place: the successor's. By a
// server that still listens: once its socket is closed, a successor takes the path over. Then
// `file` is empty.
void remove_file(kernel& os, detail::socket_path& file) noexcept;

}  // namespace iolite
