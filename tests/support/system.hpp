// The kernel a test runs on: the real one, or a simulated one with a seed. The plain sockets of the
// other side are on the same.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>

namespace iolite {
class kernel;
}

namespace iolite_test {

[[nodiscard]] iolite::kernel& system_of_test() noexcept;
[[nodiscard]] bool is_simulated() noexcept;
// How many are open in the simulated process; -1 on the real kernel.
[[nodiscard]] int simulated_descriptors() noexcept;

// From its construction to its end tests run on a simulated kernel.
class simulated_system {
 public:
  explicit simulated_system(std::uint64_t seed);
  simulated_system(const simulated_system&) = delete;
  simulated_system& operator=(const simulated_system&) = delete;
  ~simulated_system();

 private:
  friend iolite::kernel& system_of_test() noexcept;
  friend int simulated_descriptors() noexcept;
  struct state;
  std::unique_ptr<state> state_;
};

// A thread for the other side: of the system, or one that takes turns in the simulated world.
class other_thread {
 public:
  explicit other_thread(std::function<void()> body);
  other_thread(const other_thread&) = delete;
  other_thread& operator=(const other_thread&) = delete;
  ~other_thread();
  void join();

 private:
  struct state;
  std::unique_ptr<state> it_;
};

// Counts what threads do, on the kernel the test runs on.
class counter {
 public:
  void add_one() noexcept;
  // Until there are `many`.
  void await(std::uint32_t many) noexcept;

 private:
  std::uint32_t count_ = 0;
};

}  // namespace iolite_test
