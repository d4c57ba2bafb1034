// The server that `iolite bench` loads, when it knows more of it than the address: its process, or
// the command that starts it. What it uses while it is loaded.
#pragma once
#include "measure/account.hpp"
#include "measure/child.hpp"

#include "iolite/endpoint.hpp"

#include <expected>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace iolite::app {

class loaded_server {
 public:
  [[nodiscard]] static std::expected<loaded_server, std::string> watch(pid_t process);
  // Runs the command and waits until something listens at `at`.
  [[nodiscard]] static std::expected<loaded_server, std::string>
  start(std::vector<std::string> command, const endpoint& at);

  // The load begins; it goes on, a few times a second at most; it is over.
  void begin();
  void look();
  // Differences over the load; sizes at their most. After a load that has failed, the server is
  // given a moment to end: the cause may be that it dies.
  [[nodiscard]] std::expected<account, std::string> end(bool failed);
  // Ends what start() has started. The error: it had ended before, or did not end in order.
  [[nodiscard]] std::expected<void, std::string> stop();

 private:
  explicit loaded_server(pid_t process) noexcept : process_(process) {}

  pid_t process_;
  std::optional<child> child_;  // of start()
  account before_;
  account most_;  // sizes only
};

// How a process has ended, by the status of wait(2): "was killed by signal 9".
[[nodiscard]] std::string end_text(int status);

}  // namespace iolite::app
