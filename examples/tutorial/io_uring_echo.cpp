// io_uring(7): the kernel waits for the data, copies it, and reports that both are done.
//
// "Receive into this buffer" goes into a ring that is shared with the kernel. Phase 1, waiting, and
// phase 2, copying, are the kernel's; the answer lies in a second ring. io_uring_enter(2) hands
// over what is in the first ring and sleeps until something is in the second: one call for as many
// operations as there are. So a line of one client costs a call or two, those of many at a time
// less than one each, and no call is recv, send or poll.
//
// Start it with `--every 1` and try it with `nc 127.0.0.1 7000`. Where io_uring is forbidden, as it
// is in many containers, one line says so.
#include "support/counted_echo.hpp"
#include "support/options.hpp"

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  int every = 1000;
  tutorial::parse(argc, argv, "an echo server on io_uring",
                  {{"--listen", &listen, "where"}, {"--every", &every, "lines for a report"}});
  return tutorial::serve_counted_echo("io_uring", listen, every,
                                      "phase 1, waiting, and phase 2, copying: the kernel");
}
