// A fault, and every engine that can meet it. A test here is a cell of docs/fault-matrix.md; it
// shows that the fault really happened.
#pragma once
#include "kernel/faulty.hpp"
#include "support/engine_test.hpp"
#include "support/served.hpp"

#include <memory>

namespace iolite_test {

class fault_matrix : public testing::TestWithParam<std::string> {
 public:
  void TearDown() override;  // the fault has happened

 protected:
  // The engine, on a kernel with these faults.
  iolite::engine& on(std::vector<iolite::fault> calls,
                     std::vector<iolite::completion_fault> completions = {},
                     const iolite::engine_options& options = {});
  iolite::faulty& os() { return *os_; }
  // A fault that is made by other means than the decorator was seen so many times.
  void happened(std::uint64_t times = 1) { happened_ += times; }
  [[nodiscard]] std::unique_ptr<iolite::engine> another() const;
  [[nodiscard]] bool is(std::string_view engine) const { return GetParam() == engine; }

 private:
  std::unique_ptr<iolite::faulty> os_;
  std::unique_ptr<iolite::engine> it_;
  std::uint64_t happened_ = 0;
};

// Cells of one engine only.
class fault_matrix_io_uring : public fault_matrix {};
class fault_matrix_posix_aio : public fault_matrix {};
class fault_matrix_signal : public fault_matrix {};
class fault_matrix_poll : public fault_matrix {};
// Where calls of ours receive and send.
class fault_matrix_of_calls : public fault_matrix {};
// Where the tasks of a loop share a thread.
class fault_matrix_of_loops : public fault_matrix {};

// A cell of the second table: serve() under a model. What it counts in its processes, it reports.
class fault_of_models : public testing::TestWithParam<std::string> {
 public:
  void TearDown() override;

 protected:
  [[nodiscard]] iolite::serve_options options() const;
  // serve() on a kernel with these faults.
  [[nodiscard]] static served::serving on(std::vector<iolite::fault> calls,
                                          std::vector<iolite::completion_fault> completions = {});
  [[nodiscard]] iolite::placement placed() const;
  // One blocking worker serves one connection at a time.
  [[nodiscard]] bool one_each() const;
  void happened(std::uint64_t times = 1) { happened_ += times; }

 private:
  std::uint64_t happened_ = 0;
};

class fault_of_threads : public fault_of_models {};    // thread: one for each connection
class fault_of_pools : public fault_of_models {};      // pool
class fault_of_processes : public fault_of_models {};  // process
class fault_of_workers : public fault_of_models {};    // prefork

// What a peer that connects and sends `text` gets back from `handler`.
[[nodiscard]] std::string echo_of(iolite::engine& on, const std::string& text,
                                  iolite::task<> (*handler)(iolite::stream) = echo);

}  // namespace iolite_test
