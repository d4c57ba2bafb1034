// An echo server on poll(2): one thread asks for a whole list of sockets which are readable.
//
// poll(2) takes its list as an array of numbers, not of bits: any descriptor fits, so only the
// limit of open files ends it (`ulimit -n`). What it shares with select(2) is the price: the whole
// list goes to the kernel for each question, and the kernel looks at all of it.
//
// The loop is that of select_server, in support/by_hand.cpp. Try it with some `nc 127.0.0.1 7000`.
#include "support/by_hand.hpp"
#include "support/options.hpp"

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  tutorial::parse(argc, argv, "an echo server with a read list, on poll",
                  {{"--listen", &listen, "where"}});
  tutorial::echo_with_read_list("poll", listen);
}
