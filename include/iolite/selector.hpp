// Waiting for many descriptors at once, with something of yours attached to each.
//
//   auto opened = selector<std::string>::open();            // or open("poll")
//   if (!opened) return opened.error();
//   auto& s = *opened;
//   s.add(fd, interest::read, "the listener");
//   for (const auto& key : *s.wait(1s)) use(key.fd, key.ready, key.data);
//
// A front over the C interface, whose rules hold here: what is reported, ownership of descriptors,
// threads, fork(2), the facilities and errors are described in <iolite/selector.h>.
#pragma once
#include "iolite/clock.hpp"
#include "iolite/interest.hpp"
#include "iolite/result.hpp"
#include "iolite/selector.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace iolite {

// What a facility has beyond the common.
struct selector_traits {
  bool edge = false;       // interest::edge is understood
  bool oneshot = false;    // interest::oneshot is understood
  bool files = false;      // regular files may be added, and are always ready
  bool native_handle = false;
  bool large_fds = false;  // descriptors of FD_SETSIZE (1,024) and above
  bool idle = false;       // a wait sleeps, rather than ask again and again
};

template <class Data = std::monostate>
class selector {
 public:
  // A descriptor that is ready, and for what.
  struct ready_key {
    int fd;
    interest ready;  // read, write or both
    Data& data;
  };
  // A descriptor that is watched.
  struct key {
    int fd;
    interest wanted;
    Data& data;
  };

  [[nodiscard]] static result<selector> open(std::string_view facility = "best");
  // What open() takes without a name.
  [[nodiscard]] static result<selector> best() { return open(); }

  // The key's data stays at its address until it is removed. Errors as in <iolite/selector.h>;
  // std::bad_alloc from the key's memory.
  result<void> add(int fd, interest wanted, Data data = {});
  result<void> modify(int fd, interest wanted) { return change(fd, wanted, nullptr); }
  result<void> modify(int fd, interest wanted, Data data) { return change(fd, wanted, &data); }
  // Gives the data back.
  result<Data> remove(int fd);

  // Those that are ready: good until the next wait, also while keys are added and removed, but for
  // the data of a removed one. Empty after the timeout, and when woken. No timeout: for ever; zero
  // or less: looks once, so that `deadline - now` may be passed as it is. std::bad_alloc: it has
  // looked at nothing.
  result<std::span<const ready_key>> wait(std::optional<clock::duration> timeout = std::nullopt);
  // Ends the wait under way, or else the next. Any thread, and from a signal handler.
  void wake() noexcept { static_cast<void>(iolite_selector_wake(it_.get())); }

  // Null when `fd` is not watched.
  [[nodiscard]] Data* find(int fd) noexcept {
    const auto at = keys_.find(fd);
    return at == keys_.end() ? nullptr : &at->second.data;
  }
  // All keys, in no order. A key has fd, wanted and data.
  [[nodiscard]] auto keys() noexcept {
    return keys_ | std::views::transform(
                       [](auto& k) { return key{k.first, k.second.wanted, k.second.data}; });
  }
  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
  [[nodiscard]] std::string_view name() const noexcept { return iolite_selector_name(it_.get()); }
  [[nodiscard]] selector_traits traits() const noexcept;
  // A descriptor that is readable when a wait would return something; not every facility has one.
  [[nodiscard]] std::optional<int> native_handle() const noexcept {
    const int fd = iolite_selector_fd(it_.get());
    return fd < 0 ? std::nullopt : std::optional(fd);
  }

 private:
  struct entry {
    interest wanted;
    Data data;
  };
  struct closer {
    void operator()(iolite_selector* s) const noexcept { iolite_selector_close(s); }
  };
  explicit selector(iolite_selector* s) noexcept : it_(s) {}
  result<void> change(int fd, interest wanted, Data* data);

  std::unique_ptr<iolite_selector, closer> it_;
  std::unordered_map<int, entry> keys_;  // its nodes do not move
  std::vector<iolite_ready> raw_;
  std::vector<ready_key> ready_;
};

template <class Data>
result<selector<Data>> selector<Data>::open(std::string_view facility) {
  iolite_selector* s = nullptr;
  if (const int r = iolite_selector_open(std::string(facility).c_str(), &s); r < 0)
    return failure(r);
  return selector(s);
}

template <class Data>
result<void> selector<Data>::add(int fd, interest wanted, Data data) {
  // First the key, whose address goes to the C side; it goes again when that refuses.
  const auto [at, added] = keys_.try_emplace(fd, entry{wanted, std::move(data)});
  const int r = iolite_selector_add(it_.get(), fd, static_cast<unsigned>(wanted), &*at);
  if (r < 0 && added) keys_.erase(at);
  if (r < 0) return failure(r);
  return {};
}

template <class Data>
result<void> selector<Data>::change(int fd, interest wanted, Data* data) {
  const auto at = keys_.find(fd);
  void* const its = at == keys_.end() ? nullptr : &*at;
  if (const int r = iolite_selector_modify(it_.get(), fd, static_cast<unsigned>(wanted), its);
      r < 0)
    return failure(r);
  at->second.wanted = wanted;
  if (data) at->second.data = std::move(*data);
  return {};
}

template <class Data>
result<Data> selector<Data>::remove(int fd) {
  if (const int r = iolite_selector_remove(it_.get(), fd); r < 0) return failure(r);
  return std::move(keys_.extract(fd).mapped().data);
}

template <class Data>
result<std::span<const typename selector<Data>::ready_key>>
selector<Data>::wait(std::optional<clock::duration> timeout) {
  constexpr std::size_t batch_min = 64, batch_max = 4096;
  if (raw_.size() < batch_min || raw_.size() < std::min(keys_.size(), batch_max)) {
    const std::size_t batch = std::max(batch_min, std::min(keys_.size() * 2, batch_max));
    ready_.reserve(batch);  // first: what the C side has reported once must find its place
    raw_.resize(batch);
  }
  ready_.clear();
  const auto ns =
      timeout
          ? std::chrono::ceil<std::chrono::nanoseconds>(std::max(*timeout, clock::duration::zero()))
                .count()
          : -1;
  const int n = iolite_selector_wait(it_.get(), raw_.data(), static_cast<int>(raw_.size()), ns);
  if (n < 0) return failure(n);
  for (const iolite_ready& r : std::span(raw_).first(static_cast<std::size_t>(n))) {
    auto& at = *static_cast<typename decltype(keys_)::value_type*>(r.data);
    ready_.push_back({r.fd, static_cast<interest>(r.events), at.second.data});
  }
  return std::span<const ready_key>(ready_);
}

template <class Data>
selector_traits selector<Data>::traits() const noexcept {
  const unsigned bits = iolite_selector_traits(it_.get());
  return {.edge = (bits & IOLITE_HAS_EDGE) != 0,
          .oneshot = (bits & IOLITE_HAS_ONESHOT) != 0,
          .files = (bits & IOLITE_HAS_FILES) != 0,
          .native_handle = (bits & IOLITE_HAS_FD) != 0,
          .large_fds = (bits & IOLITE_HAS_LARGE_FDS) != 0,
          .idle = (bits & IOLITE_HAS_IDLE) != 0};
}

}  // namespace iolite
