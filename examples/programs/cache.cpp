// cache FILE [LISTEN [SECONDS]]
//
// Counts the words of a file every so many seconds (10), on a helper thread, and serves the counts:
// a line with a word is answered by a line with its number. Who asks never waits for a count, but
// for the first one.
#include "cache.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <unordered_map>

namespace {

using counts = std::unordered_map<std::string, std::uint64_t>;

counts count_words(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  counts all;
  for (std::string word; file >> word;) ++all[word];
  return all;
}

// A handler.
iolite::task<> answer(iolite::stream peer, refreshed<counts>& words) {
  iolite::lines talk(peer);
  for (;;) {
    const auto word = co_await talk.receive();
    if (!word) co_return;
    const auto now = co_await words.get();
    if (!now) co_return;
    const auto found = (*now)->find(std::string(*word));
    const auto sent =
        co_await talk.send(std::to_string(found == (*now)->end() ? 0 : found->second));
    if (!sent) co_return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fputs("cache: FILE [LISTEN [SECONDS]]\n", stderr), 1;
  const std::chrono::duration<double> period(argc > 3 ? std::strtod(argv[3], nullptr) : 10);
  static refreshed<counts> words(
      [path = std::string(argv[1])] { return count_words(path); },
      std::chrono::duration_cast<iolite::clock::duration>(period),
      [](const std::string& why) { std::fprintf(stderr, "cache: %s\n", why.c_str()); });

  // The cache is kept fresh on an engine of its own, beside those of the server.
  const auto engine = iolite::make_engine();
  if (!engine) return std::fprintf(stderr, "cache: %s\n", engine.error().message.c_str()), 1;
  std::thread background([&] { (*engine)->run(words.keep_fresh()); });
  const int status = iolite::serve_main(
      [](iolite::stream peer) { return answer(std::move(peer), words); },
      {.listen = {argc > 2 ? argv[2] : "127.0.0.1:7000"}, .shares_memory = true});
  (*engine)->request_cancel();
  background.join();
  return status;
}
