// Streams for tests, and the small tasks that nearly every test needs.
#pragma once
#include "iolite/iolite.hpp"
#include "support/sockets.hpp"

#include <string>
#include <string_view>

namespace iolite_test {

// Tests of scopes make them without in_scope(), and join them themselves.
using scope = iolite::detail::bare_scope;

// Takes over a connected socket, in the mode the engine's traits ask for.
[[nodiscard]] iolite::stream adopt(iolite::engine& on, int fd, bool tcp = false);
[[nodiscard]] iolite::stream adopt(iolite::engine& on, raw_socket socket, bool tcp = false);

// One end on the engine, the other one plain.
struct half_pair {
  iolite::stream ours;
  raw_socket theirs;
};
[[nodiscard]] half_pair unix_half(iolite::engine& on);
[[nodiscard]] half_pair tcp_half(iolite::engine& on);

// Both ends on the engine.
struct stream_pair {
  iolite::stream a;
  iolite::stream b;
};
[[nodiscard]] stream_pair unix_streams(iolite::engine& on);
[[nodiscard]] stream_pair tcp_streams(iolite::engine& on);

// One receive; what came, "" at the end of the stream.
[[nodiscard]] iolite::task<iolite::result<std::string>> receive(iolite::stream& from,
                                                                std::size_t max = 4096);
[[nodiscard]] iolite::task<iolite::result<std::string>>
receive_within(iolite::stream& from, iolite::clock::duration limit);
[[nodiscard]] iolite::task<iolite::result<std::string>> receive_exactly(iolite::stream& from,
                                                                        std::size_t bytes);
// Up to the end of the stream, or the first error.
[[nodiscard]] iolite::task<iolite::result<std::string>> receive_until_end(iolite::stream& from);
[[nodiscard]] iolite::task<iolite::result<void>> send_text(iolite::stream& to,
                                                           std::string_view text);

// The handler of most tests: gives back what it receives until the end of the stream.
[[nodiscard]] iolite::task<> echo(iolite::stream peer);
// The same by leases.
[[nodiscard]] iolite::task<> echo_leases(iolite::stream peer);

// Lets the other tasks run until they wait, also where each has a thread: for tests that want an
// operation to be pending most of the time, and that hold when it is not.
[[nodiscard]] iolite::task<> let_others_run();

// How an operation ended, written by the task that awaited it.
struct outcome {
  int times = 0;
  std::error_code code;
  std::string bytes;

  void set(std::error_code c) {
    ++times;
    code = c;
  }
  template <class T>
  void set(const iolite::result<T>& r) {
    set(r ? std::error_code() : r.error());
  }
  void set(const iolite::result<std::string>& r) {
    set(r ? std::error_code() : r.error());
    if (r) bytes += *r;
  }
};

// The bodies of children: one operation, its end in `out`.
[[nodiscard]] iolite::task<> receiving(iolite::stream from, outcome& out);
[[nodiscard]] iolite::task<> receiving_twice(iolite::stream from, outcome& first, outcome& second);
[[nodiscard]] iolite::task<> sending(iolite::stream to, std::string_view bytes, outcome& out);
[[nodiscard]] iolite::task<> sleeping(iolite::clock::duration length, outcome& out);
[[nodiscard]] iolite::task<> waiting(iolite::event& e, outcome& out);
[[nodiscard]] iolite::task<> accepting(iolite::listener from, outcome& out);
[[nodiscard]] iolite::task<> connecting(iolite::endpoint to, outcome& out);

[[nodiscard]] bool is_gone(std::error_code code) noexcept;  // broken_pipe or connection_reset

[[nodiscard]] std::span<std::byte> bytes_of(std::string& text) noexcept;

}  // namespace iolite_test
