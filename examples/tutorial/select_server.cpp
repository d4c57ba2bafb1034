// An echo server on select(2): one thread asks for a whole list of sockets which are readable.
//
// The list holds the listener and each client. A client that leaves (its end is readable as well)
// or is reset is taken off it before its socket is closed: close() frees the descriptor, and the
// next client may get the same number.
//
// select(2) takes its list as 1,024 bits. Descriptor 1,024 has no bit: FD_SET would write behind
// the array. The selector says so instead; such a client is refused, and the others never notice.
// Try it with some `nc 127.0.0.1 7000`, or with more than a thousand after `ulimit -n 4096`.
//
// poll_server is the same on poll(2): the difference is one word, and it has no such limit.
#include "support/by_hand.hpp"
#include "support/options.hpp"

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  tutorial::parse(argc, argv, "an echo server with a read list, on select",
                  {{"--listen", &listen, "where"}});
  tutorial::echo_with_read_list("select", listen);
}
