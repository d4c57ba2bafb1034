// See system.hpp.
#include "support/system.hpp"

#include "kernel/simulated/processes/process.hpp"
#include "kernel/thread.hpp"
#include "kernel/thread_state.hpp"

#include <atomic>
#include <limits>
#include <utility>

namespace iolite_test {
namespace {

simulated_system* current = nullptr;

}  // namespace

struct simulated_system::state {
  explicit state(std::uint64_t seed)
      : world(seed), host(world.net.add("test")), process(world, host, "test", 4096) {}
  ~state() {
    process.end_threads();
    process.files().clear();
    process.unwind();
    world.end();
  }
  iolite::simulated::machine world;
  iolite::simulated::host& host;
  iolite::simulated::process process;
};

simulated_system::simulated_system(std::uint64_t seed) : state_(std::make_unique<state>(seed)) {
  current = this;
  iolite::state_of_thread().simulated = &state_->process;
}
simulated_system::~simulated_system() {
  current = nullptr;
  iolite::state_of_thread().simulated = nullptr;
}

iolite::kernel& system_of_test() noexcept {
  return current ? current->state_->process : iolite::kernel::real();
}

bool is_simulated() noexcept { return current != nullptr; }

int simulated_descriptors() noexcept {
  if (!current) return -1;
  int n = 0;
  const auto& files = current->state_->process.files();
  for (int fd = 0; fd < files.end(); ++fd) n += files.find(fd) ? 1 : 0;
  return n;
}

struct other_thread::state {
  iolite::os_thread it;
};

other_thread::other_thread(std::function<void()> body)
    : it_(std::make_unique<state>(iolite::os_thread(system_of_test(), std::move(body)))) {}

void other_thread::join() {
  if (it_->it.is_joinable()) it_->it.join();
}

other_thread::~other_thread() { join(); }

void counter::add_one() noexcept {
  std::atomic_ref(count_).fetch_add(1);
  system_of_test().futex_wake(&count_, std::numeric_limits<int>::max());
}

void counter::await(std::uint32_t many) noexcept {
  for (;;) {
    const std::uint32_t now = std::atomic_ref(count_).load();
    if (now >= many) return;
    system_of_test().futex_wait(&count_, now, nullptr);
  }
}

}  // namespace iolite_test
