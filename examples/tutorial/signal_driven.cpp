// Signal-driven I/O, R. Stevens' fourth model: a signal ends the first phase of an input operation.
//
// Phase 1, waiting for the data: nobody asks. Each socket has O_ASYNC, so the kernel sends a signal
// with the descriptor's number when something happens to it; the thread takes the signals one by
// one with sigtimedwait(2) and sleeps there while there is none. Phase 2, copying: recv(2), by
// ourselves, and it may find nothing: a signal says what has happened, not what is.
//
// Start it with `--every 1` and try it with `nc 127.0.0.1 7000`: a line costs one sigtimedwait that
// takes its signal, one that finds no more of them, a recv and a send.
#include "support/counted_echo.hpp"
#include "support/options.hpp"

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  int every = 1000;
  tutorial::parse(argc, argv, "an echo server with signal-driven I/O",
                  {{"--listen", &listen, "where"}, {"--every", &every, "lines for a report"}});
  return tutorial::serve_counted_echo(
      "signal", listen, every,
      "phase 1, waiting: by signal, taken with sigtimedwait; phase 2, copying: our own recv");
}
