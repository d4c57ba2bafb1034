// The selector's C functions, and how a name becomes a facility. See <iolite/selector.h>.
#include "selector/selector.hpp"

#include "iolite/selector.h"
#include "models/registry.hpp"
#include "selector/selector_core.hpp"

#include <cerrno>
#include <charconv>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

using namespace iolite;

namespace {

std::optional<facility> find_facility(std::string_view name) noexcept {
  const auto colon = name.find(':');
  facility f;
  for (const poller_entry& e : all_pollers()) {
    if (e.name == name.substr(0, colon)) f.entry = &e;
  }
  if (!f.entry) return std::nullopt;
  if (colon == name.npos) return f;
  const std::string_view option = name.substr(colon + 1);
  if (f.entry->name == "signal") {
    const char* end = option.data() + option.size();
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): `end` is given
    const auto [at, error] = std::from_chars(option.data(), end, f.options.signal_number);
    if (error == std::errc() && at == end && f.options.signal_number > 0) return f;
  } else if (f.entry->name == "nonblocking") {
    if (option == "spin") return f.options.idle = idle_strategy::spin, f;
    if (option == "yield") return f.options.idle = idle_strategy::yield, f;
    if (option == "sleep") return f.options.idle = idle_strategy::sleep, f;
  }
  return std::nullopt;
}

int open_one(kernel& os, const facility& f, bool test, iolite_selector** out) {
  if (!f.entry->make) return -ENOTSUP;
  auto s = std::make_unique<iolite_selector>(os, f);
  if (const int r = s->open(); r < 0) return r;
  if (test && !s->works()) return -ENOTSUP;
  *out = s.release();
  return 0;
}

// The first that works. Want of memory or descriptors is no reason to
// take a worse one.
int open_best(kernel& os, iolite_selector** out) {
  int r = -ENOTSUP;
  for (const poller_entry& e : all_pollers()) {
    r = open_one(os, {&e, {}}, true, out);
    if (r == 0 || r == -ENOMEM || r == -EMFILE || r == -ENFILE) return r;
  }
  return r;
}

}  // namespace

int iolite::open_selector_on(kernel& os, const char* name, iolite_selector** out) noexcept try {
  if (!out) return -EINVAL;
  *out = nullptr;
  if (!name || std::string_view(name) == "best") return open_best(os, out);
  const auto f = find_facility(name);
  return f ? open_one(os, *f, false, out) : -EINVAL;
} catch (const std::bad_alloc&) {
  return -ENOMEM;
}

extern "C" {

int iolite_selector_open(const char* facility, iolite_selector** out) noexcept {
  return open_selector_on(kernel::real(), facility, out);
}
int iolite_selector_add(iolite_selector* s, int fd, unsigned events, void* data) noexcept {
  return s ? s->add(fd, events, data) : -EINVAL;
}
int iolite_selector_modify(iolite_selector* s, int fd, unsigned events, void* data) noexcept {
  return s ? s->modify(fd, events, data) : -EINVAL;
}
int iolite_selector_remove(iolite_selector* s, int fd) noexcept {
  return s ? s->remove(fd) : -EINVAL;
}
int iolite_selector_wait(iolite_selector* s, iolite_ready* out, int max,
                         int64_t timeout_ns) noexcept {
  return s ? s->wait(out, max, timeout_ns) : -EINVAL;
}
int iolite_selector_wake(iolite_selector* s) noexcept { return s ? s->wake() : -EINVAL; }
int iolite_selector_fd(const iolite_selector* s) noexcept {
  if (!s) return -EINVAL;
  const int fd = s->facility_poller().native_handle();
  return fd >= 0 ? fd : -ENOTSUP;
}
const char* iolite_selector_name(const iolite_selector* s) noexcept {
  return s ? s->entry().name.data() : "";  // literals, and so terminated
}
unsigned iolite_selector_traits(const iolite_selector* s) noexcept {
  if (!s) return 0;
  const poller& p = s->facility_poller();
  const poller_traits t = p.traits();
  unsigned bits = 0;
  if (t.edge) bits |= IOLITE_HAS_EDGE;
  if (t.oneshot) bits |= IOLITE_HAS_ONESHOT;
  if (t.files) bits |= IOLITE_HAS_FILES;
  if (p.native_handle() >= 0) bits |= IOLITE_HAS_FD;
  if (t.fd_limit == 0) bits |= IOLITE_HAS_LARGE_FDS;
  if (!t.candidates) bits |= IOLITE_HAS_IDLE;
  return bits;
}
void iolite_selector_close(iolite_selector* s) noexcept { delete s; }

}  // extern "C"
