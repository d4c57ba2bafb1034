// See epoll_set.hpp.
#include "kernel/simulated/descriptors/epoll_set.hpp"

#include <algorithm>
#include <utility>

namespace iolite::simulated {

epoll_set::~epoll_set() = default;

void epoll_set::entry::file_changed(short bits) {
  if (!armed || (static_cast<unsigned>(bits) & (asked.events | EPOLLERR | EPOLLHUP)) == 0) return;
  listed = true;
  set.changed(POLLIN);
}

unsigned epoll_set::entry::ready() const {
  const auto f = of.lock();
  if (!f || !armed || !f->is_open()) return 0;
  return static_cast<unsigned>(f->readiness()) & (asked.events | EPOLLERR | EPOLLHUP);
}

// The last close of a file takes it out of the set.
void epoll_set::forget_closed() {
  std::erase_if(entries_, [](const auto& e) {
    const auto f = e->of.lock();
    return !f || !f->is_open();
  });
}

epoll_set::entry* epoll_set::find(int fd, const file* f) noexcept {
  const auto it = std::ranges::find_if(
      entries_, [&](const auto& e) { return e->fd == fd && e->of.lock().get() == f; });
  return it == entries_.end() ? nullptr : it->get();
}

int epoll_set::control(int operation, int fd, const std::shared_ptr<file>& f,
                       const epoll_event* e) {
  if (!f) return -EBADF;
  if (f.get() == this) return -EINVAL;
  if (!f->can_be_watched()) return -EPERM;
  forget_closed();
  entry* known = find(fd, f.get());
  if (operation == EPOLL_CTL_ADD) {
    if (known) return -EEXIST;
    entries_.push_back(std::make_unique<entry>(*this, fd, f, *e));
    known = entries_.back().get();
    f->watch(*known);
  } else if (!known) {
    return operation == EPOLL_CTL_MOD || operation == EPOLL_CTL_DEL ? -ENOENT : -EINVAL;
  } else if (operation == EPOLL_CTL_DEL) {
    std::erase_if(entries_, [&](const auto& one) { return one.get() == known; });
    return 0;
  } else {
    known->asked = *e;
    known->armed = true;
  }
  if (known->ready() != 0) known->file_changed(static_cast<short>(known->asked.events | POLLERR));
  return 0;
}

short epoll_set::readiness() const {
  const bool any =
      std::ranges::any_of(entries_, [](const auto& e) { return e->listed && e->ready() != 0; });
  return any ? POLLIN : short{0};
}

bool epoll_set::lie(epoll_event& out) {
  if (entries_.empty() || world().faults.of(fault_kind::spurious) == 0) return false;
  const entry& e = *entries_[world().random.below(entries_.size())];
  const auto f = e.of.lock();
  if (!e.armed || (e.asked.events & EPOLLIN) == 0 || !f || !f->may_seem_ready()) return false;
  if ((f->readiness() & (POLLIN | POLLERR | POLLHUP)) != 0) return false;
  if (!world().goes_wrong(fault_kind::spurious, of().number)) return false;
  out = {.events = EPOLLIN, .data = e.asked.data};
  return true;
}

int epoll_set::collect(std::span<epoll_event> out) {
  std::vector<entry*> listed;
  for (const auto& e : entries_) {
    if (e->listed) listed.push_back(e.get());
  }
  std::size_t n = 0;
  for (std::size_t left = listed.size(); left > 0 && n < out.size(); --left) {
    std::swap(listed[world().random.below(left)], listed[left - 1]);
    entry& e = *listed[left - 1];
    const unsigned ready = e.ready();
    if (ready == 0) {
      e.listed = false;
      continue;
    }
    out[n] = {.events = ready, .data = e.asked.data};
    ++n;
    if (e.asked.events & EPOLLONESHOT) e.armed = false;
    if (e.asked.events & (EPOLLET | EPOLLONESHOT)) e.listed = false;
  }
  return static_cast<int>(n);
}

}  // namespace iolite::simulated
