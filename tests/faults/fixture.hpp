// A fault, and every engine that can meet it. A test here is a cell of docs/fault-matrix.md; it
// shows that the fault really happened.
#pragma once
#include "kernel/faulty.hpp"
#include "support/engine_test.hpp"

#include <memory>

namespace iolite_test {

class fault_matrix : public testing::TestWithParam<std::string> {
 public:
  ~fault_matrix() override { EXPECT_TRUE(!it_ || !os_ || os_->injected() > 0 || none_meant_); }

 protected:
  // The engine, on a kernel with these faults.
  iolite::engine& on(std::vector<iolite::fault> calls,
                     std::vector<iolite::completion_fault> completions = {},
                     const iolite::engine_options& options = {});
  iolite::faulty& os() { return *os_; }
  // The fault is of another kind, and shown in another way.
  void no_injection() { none_meant_ = true; }
  [[nodiscard]] bool is(std::string_view engine) const { return GetParam() == engine; }

 private:
  std::unique_ptr<iolite::faulty> os_;
  std::unique_ptr<iolite::engine> it_;
  bool none_meant_ = false;
};

// Cells of one engine only.
class fault_matrix_io_uring : public fault_matrix {};
class fault_matrix_posix_aio : public fault_matrix {};
class fault_matrix_signal : public fault_matrix {};
class fault_matrix_poll : public fault_matrix {};
// Where calls of ours receive and send.
class fault_matrix_of_calls : public fault_matrix {};

// What a peer that connects and sends `text` gets back from `handler`.
[[nodiscard]] std::string echo_of(iolite::engine& on, const std::string& text,
                                  iolite::task<> (*handler)(iolite::stream) = echo);

}  // namespace iolite_test
