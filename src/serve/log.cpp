// See log.hpp.
#include "serve/log.hpp"

#include "iolite/one_line.hpp"

namespace iolite {

bool server_log::may_tell(log_cause c, clock::time_point now) noexcept {
  if (!to_ || closed_.load()) return false;
  auto& last = last_[static_cast<std::size_t>(c)];
  const clock::rep t = now.time_since_epoch().count();
  clock::rep before = last.load();
  constexpr clock::rep second = clock::duration(std::chrono::seconds(1)).count();
  if (before != 0 && t - before < second) return false;
  return last.compare_exchange_strong(before, t);
}

void server_log::write(std::string_view text) { to_(one_line(text)); }

}  // namespace iolite
