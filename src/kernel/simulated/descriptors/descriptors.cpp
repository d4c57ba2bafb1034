// See descriptors.hpp.
#include "kernel/simulated/descriptors/descriptors.hpp"

#include <utility>

namespace iolite::simulated {

int descriptors::add(std::shared_ptr<file> f, bool close_on_exec, int least) {
  for (int fd = least; fd < most_; ++fd) {
    if (find(fd)) continue;
    if (!holds(fd)) table_.resize(static_cast<std::size_t>(fd) + 1);
    f->opened();
    (*this)[fd] = {std::move(f), close_on_exec};
    return fd;
  }
  return -EMFILE;
}

int descriptors::replace(int fd, std::shared_ptr<file> f, bool close_on_exec) {
  if (fd < 0 || fd >= most_) return -EBADF;
  if (!holds(fd)) table_.resize(static_cast<std::size_t>(fd) + 1);
  f->opened();
  const entry before = std::exchange((*this)[fd], {std::move(f), close_on_exec});
  drop(before);
  return fd;
}

int descriptors::close(int fd) {
  if (!find(fd)) return -EBADF;
  const entry before = std::exchange((*this)[fd], {});
  drop(before);
  return 0;
}

void descriptors::drop(const entry& e) const {
  if (e.of && !let_go_) e.of->dropped();
}

void descriptors::share_all(const descriptors& parent) {
  table_ = parent.table_;
  for (const entry& e : table_) {
    if (e.of) e.of->opened();
  }
}

void descriptors::let_go() {
  for (const entry& e : table_) drop(e);
  let_go_ = true;
}

void descriptors::clear() {
  for (int fd = 0; fd < end(); ++fd) close(fd);
}

bool descriptors::has_room(int many) const noexcept {
  for (int fd = 0; fd < most_ && many > 0; ++fd) {
    if (!find(fd)) --many;
  }
  return many == 0;
}

}  // namespace iolite::simulated
