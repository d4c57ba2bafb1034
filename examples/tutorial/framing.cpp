// Messages over a stream, with their length in front.
//
// TCP carries bytes, not messages. Two that were sent one after the other may come in one receive,
// glued, and a long one comes in pieces, cut wherever the network liked. `--without-frames` shows
// both: it prints what each receive brought. Otherwise each message is preceded by its length in
// four bytes, most significant first, and the program prints whole messages, whatever the cuts.
//
//   framing --without-frames       then: printf 'onetwo' | nc 127.0.0.1 7000
//   framing                        then: printf '\0\0\0\3one\0\0\0\3two' | nc 127.0.0.1 7000
#include "support/options.hpp"
#include "support/sockets.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/core.h>
#include <iolite/iolite.hpp>
#include <string>

namespace {

iolite::task<> bytes_as_they_come(iolite::stream peer) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto received = co_await peer.recv(buffer);
    if (!received || *received == 0) co_return;
    tutorial::say(fmt::format("a receive of {} bytes", *received));
    if (!co_await peer.send_all(std::span(buffer).first(*received))) co_return;
  }
}

// Answers each message with itself in upper case.
iolite::task<> messages(iolite::stream peer) {
  iolite::frames both(peer, {.length_bytes = 4, .max = 1 << 20});
  std::string answer;
  for (;;) {
    const auto message = co_await both.receive();
    if (!message) {
      // The end between two messages is how a conversation ends; anything else is worth a line.
      if (message.error() != iolite::errc::end_of_stream) tutorial::say(message.error().message());
      co_return;
    }
    tutorial::say(fmt::format("a message of {} bytes", message->size()));
    answer.assign(reinterpret_cast<const char*>(message->data()), message->size());
    std::ranges::transform(answer, answer.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (!co_await both.send(answer)) co_return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  std::string model = "auto";
  bool raw = false;
  tutorial::parse(argc, argv, "messages with their length in front, and what happens without",
                  {{"--listen", &listen, "where"},
                   {"--model", &model, "the I/O model"},
                   {"--without-frames", &raw, "print what each receive brings"}});
  return iolite::serve_main(raw ? bytes_as_they_come : messages,
                            {.model = model, .listen = {listen}});
}
