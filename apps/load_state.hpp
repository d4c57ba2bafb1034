// What the connections of a load share, and how their requests are counted.
#pragma once
#include "load.hpp"
#include "schedule.hpp"

#include "iolite/channel.hpp"
#include "iolite/event.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace iolite::app {

// An endless text that any place of a stream can be checked against. Its period is a prime, so
// neither messages nor buffers line up with it.
class pattern {
 public:
  static constexpr std::size_t period = 65521;

  explicit pattern(std::size_t longest);
  [[nodiscard]] std::span<const std::byte> at(std::uint64_t offset, std::size_t n) const noexcept {
    return std::span(bytes_).subspan(offset % period, n);
  }

 private:
  std::vector<std::byte> bytes_;
};

// What one connection is to send, and what it has sent and got no answer to.
struct member {
  schedule moments;
  unsigned in_flight = 0;  // messages of one batch
  clock::time_point intended = {};  // when that was to be sent
};

[[nodiscard]] std::string no_memory_for(const load_options& o);

struct load {
  static constexpr std::size_t receive_bytes = std::size_t{64} * 1024;

  explicit load(const load_options& o);

  // The first error is kept, all are counted.
  void fail(std::string why);
  // There is no memory to go on.
  void give_up();

  // A connection is made, or it failed.
  void arrived();
  // From now on connections send.
  void begin_sending();
  // How many messages `m` sends now; 0: it is over. After the batch: --waiting.
  [[nodiscard]] unsigned take(member& m);
  void answered(member& m, unsigned messages);
  // Ends the warm-up.
  void begin_counting();
  // Time is up, or all is done. Idempotent.
  void end_counting();
  // No answer comes any more.
  void count_unanswered();

  const load_options& options;
  pattern text;
  load_result result;
  std::vector<member> members;
  bool ending = false;  // no new requests
  event all_connected;
  event begin;
  clock::time_point began = clock::now();  // of what is counted
  clock::time_point last_answer;
  unsigned live = 0;  // connections that go on
  unsigned waiting = 0;  // connections that are owed an answer
  channel<char> connecting;  // how many connect at once: the server's queue is not endless

 private:
  void count_unsent(const schedule& moments, clock::time_point now);

  std::uint64_t taken_ = 0;  // requests that some connection has taken on
  unsigned connected_ = 0;  // or failed to
};

}  // namespace iolite::app
