// POSIX asynchronous I/O, aio(7): a helper makes the copy, and reports that it is done.
//
// By the book aio_read(3) on a socket hands over both phases: a helper thread of the C library
// waits for the data and copies it. But such a wait cannot be given up (aio_cancel(3) answers
// AIO_NOTCANCELED), and some twenty silent clients would hold all helpers there are. So the library
// hands over half of it. Phase 1, waiting: our own thread, in poll(2), for all clients at once.
// Phase 2, copying: a helper, which never waits, since the sockets do not block. Our thread learns
// from aio_suspend(3), aio_error(3) and aio_return(3) that the copy is done, and how it went.
//
// Start it with `--every 1` and try it with `nc 127.0.0.1 7000`: no recv and no send is called, and
// there are more threads than the one that this program has.
#include "support/counted_echo.hpp"
#include "support/options.hpp"

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  int every = 1000;
  tutorial::parse(argc, argv, "an echo server with POSIX asynchronous I/O",
                  {{"--listen", &listen, "where"}, {"--every", &every, "lines for a report"}});
  return tutorial::serve_counted_echo(
      "posix_aio", listen, every,
      "phase 1, waiting: our own poll; phase 2, copying: a helper thread, which reports it done");
}
