// Many clients in one process, to try a server with.
//
// Each message is sent in parts, with a pause between them. TCP keeps no borders, so a server may
// receive a part, or two messages at once, and one that takes what recv(2) gives for a message is
// found out here and not in production. Each client has text of its own: an answer that went to
// another client is wrong, too. And after the last answer nothing may come but the end.
//
// Try it against an echo server, or with --upper against one that answers in upper case, such as
// thread_per_connection. It ends with 0 when all the answers were right, else with 1.
#include "support/engines.hpp"
#include "support/lines.hpp"
#include "support/options.hpp"

#include <fmt/core.h>
#include <iolite/iolite.hpp>

namespace {

struct plan {
  iolite::endpoint to;
  int messages;
  bool upper;
  iolite::clock::duration limit;  // how long to wait for an answer
};

struct record {  // of one client; under `--model blocking` each is a thread
  int parts = 0, right = 0;
  std::string problem;  // the first one; then the client gives up
};

iolite::task<bool> send_in_parts(iolite::stream& server, std::string_view text, record& mine) {
  constexpr std::size_t parts = 3;
  for (std::size_t i = 0; i < parts; ++i) {
    const std::size_t from = text.size() * i / parts, to = text.size() * (i + 1) / parts;
    if (i > 0) static_cast<void>(co_await iolite::sleep(std::chrono::milliseconds(5)));
    if (!co_await server.send_all(text.substr(from, to - from))) co_return false;
    ++mine.parts;
  }
  co_return true;
}

iolite::task<> talk(int number, const plan& todo, record& mine) {
  auto server = co_await iolite::stream::connect(todo.to, todo.limit);
  if (!server) mine.problem = "cannot connect: " + server.error().message();
  std::string answer;
  for (int i = 1; i <= todo.messages && mine.problem.empty(); ++i) {
    const std::string message = fmt::format("message {} of client {}\n", i, number);
    answer.assign(message.size(), '\0');
    const auto into = std::as_writable_bytes(std::span(answer));
    if (!co_await send_in_parts(*server, message, mine)) mine.problem = "cannot send";
    const auto received = co_await (server->recv_all(into) | iolite::within(todo.limit));
    if (!received) mine.problem = "answer missing: " + received.error().message();
    else if (answer == (todo.upper ? tutorial::upper(message) : message)) ++mine.right;
    else mine.problem = "wrong answer: " + answer.substr(0, answer.find('\n'));
  }
  if (!mine.problem.empty()) co_return;
  answer.assign(1, '\0');
  if (!server->shutdown_write()) mine.problem = "cannot end";
  const auto more = std::as_writable_bytes(std::span(answer));
  const auto received = co_await (server->recv(more) | iolite::within(todo.limit));
  if (!received) mine.problem = "the stream does not end: " + received.error().message();
  else if (*received > 0) mine.problem = "more than the answers";
}

iolite::task<> talk_all(const plan& todo, std::vector<record>& records) {
  co_await iolite::in_scope([&](iolite::scope& clients) -> iolite::task<> {
    int number = 0;
    for (record& one : records) clients.spawn(talk(++number, todo, one));
    co_return;
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::string to = "127.0.0.1:7000", model = "auto";
  int connections = 100, messages = 3, limit_ms = 5000;
  bool upper = false;
  tutorial::parse(argc, argv, "many clients that check the answers of an echo server",
                  {{"--to", &to, "the server"},
                   {"--model", &model, "of I/O"},
                   {"--connections", &connections, "at a time"},
                   {"--messages", &messages, "of each"},
                   {"--upper", &upper, "the answers are in upper case"},
                   {"--limit-ms", &limit_ms, "the wait for an answer"}});
  const auto engine = tutorial::engine_of(model);
  const plan todo{tutorial::endpoint_of(to), messages, upper, std::chrono::milliseconds(limit_ms)};
  std::vector<record> records(static_cast<std::size_t>(std::max(connections, 0)));
  tutorial::run_on(*engine, talk_all(todo, records));
  int parts = 0, right = 0, wanted = connections * messages;
  for (const record& one : records) parts += one.parts, right += one.right;
  fmt::print("{} connections, {} messages in {} parts, {} answers right\n", connections, wanted,
             parts, right);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].problem.empty()) continue;
    tutorial::fail(fmt::format("client {}: {}", i + 1, records[i].problem));  // one is enough
  }
}
