// See system.hpp.
#include "support/system.hpp"

#include "kernel/simulated/process.hpp"

#include <utility>

namespace iolite_test {
namespace {

simulated_system* current = nullptr;

}  // namespace

struct simulated_system::state {
  explicit state(std::uint64_t seed)
      : world(seed), host(world.net.add("test")), process(world, host, 1, 4096) {}
  ~state() {
    process.files().clear();
    world.end();
  }
  iolite::simulated::machine world;
  iolite::simulated::host& host;
  iolite::simulated::process process;
};

simulated_system::simulated_system(std::uint64_t seed) : state_(std::make_unique<state>(seed)) {
  current = this;
}
simulated_system::~simulated_system() { current = nullptr; }

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

other_thread::other_thread(std::function<void()> body) {
  if (!current) {
    real_ = std::thread(std::move(body));
    return;
  }
  over_ = std::make_shared<bool>(false);
  current->state_->world.turns.start([own = std::move(body), over = over_] {
    own();
    *over = true;
  });
}

void other_thread::join() {
  if (real_.joinable()) real_.join();
  if (!over_) return;
  current->state_->world.turns.wait(nullptr, iolite::never, [this] { return *over_; });
  over_.reset();
}

other_thread::~other_thread() { join(); }

}  // namespace iolite_test
