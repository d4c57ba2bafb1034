// What the connections of one thread of a load share, and how their requests are counted.
#pragma once
#include "load/load.hpp"

#include "iolite/channel.hpp"
#include "iolite/event.hpp"

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

namespace iolite::app {

// What one connection is to send, and what it has sent and got no answer to.
struct member {
  schedule moments;
  unsigned in_flight = 0;  // messages of one batch
  clock::time_point intended = {};  // when that was to be sent
};

[[nodiscard]] std::string no_memory_for(const load_options& o);

// What the threads of a load share. Any thread.
class crew {
 public:
  explicit crew(unsigned threads) noexcept : threads_(threads) {}

  // This thread has made its connections.
  void ready() noexcept;
  // When all have, or `never`.
  [[nodiscard]] clock::time_point began() const noexcept;
  // One of them cannot go on: nobody waits for it.
  void give_up() noexcept { given_up_ = true; }
  [[nodiscard]] bool given_up() const noexcept { return given_up_; }

  void publish(std::uint64_t requests, std::uint64_t errors, const histogram& latency);
  // What has been published since the last time.
  void take(live_figures& into);

 private:
  const unsigned threads_;
  std::atomic<unsigned> ready_ = 0;
  std::atomic<clock::rep> began_ = clock::time_point::max().time_since_epoch().count();
  std::atomic<bool> given_up_ = false;
  std::mutex lock_;  // of what follows
  live_figures news_;
};

struct load {
  static constexpr std::size_t receive_bytes = std::size_t{64} * 1024;

  // The connections of `o`, the first of which is number `first` of `all` in the whole load.
  load(const load_options& o, crew& c, unsigned first, unsigned all);

  // The first error is kept, all are counted.
  void fail(std::string why);
  // There is no memory to go on.
  void give_up();

  // A connection is made, or it failed.
  void arrived();
  // From now on connections send.
  void begin_sending(clock::time_point now);
  // How many messages `m` sends now; 0: it is over. After the batch: --waiting.
  [[nodiscard]] unsigned take(member& m);
  void answered(member& m, const progress& p);
  // Ends the warm-up.
  void begin_counting();
  // Time is up, or all is done. Idempotent.
  void end_counting();
  // No answer comes any more.
  void count_unanswered();
  // For those who watch: once a second.
  void publish();

  const load_options& options;
  crew& all;
  const unsigned first_of_all;
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

  const unsigned connections_of_all_;
  std::uint64_t taken_ = 0;  // requests that some connection has taken on
  unsigned connected_ = 0;  // or failed to
  const bool watched_;
  std::uint64_t recent_requests_ = 0;  // since publish()
  std::uint64_t told_errors_ = 0;
  histogram recent_;
};

}  // namespace iolite::app
