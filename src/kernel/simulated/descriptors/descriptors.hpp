// A process's table of descriptors: a new one has the lowest number that is free, as POSIX demands,
// so that numbers are used again as soon as they can be.
#pragma once
#include "kernel/simulated/descriptors/file.hpp"

namespace iolite::simulated {

class descriptors {
 public:
  struct entry {
    std::shared_ptr<file> of;
    bool close_on_exec = false;
  };

  explicit descriptors(int most) noexcept : most_(most) {}
  ~descriptors() { clear(); }

  // The number, or -EMFILE; not below `least`.
  int add(std::shared_ptr<file> f, bool close_on_exec, int least = 0);
  int replace(int fd, std::shared_ptr<file> f, bool close_on_exec);
  int close(int fd);
  void clear();
  // A child begins with those of its parent: fork(2).
  void share_all(const descriptors& parent);
  // The process has ended: all are closed to the world. They stay here for its programs, which
  // stand where they were and end when the world does.
  void let_go();
  [[nodiscard]] file* find(int fd) const noexcept {
    return holds(fd) ? table_[static_cast<std::size_t>(fd)].of.get() : nullptr;
  }
  [[nodiscard]] std::shared_ptr<file> share(int fd) const noexcept {
    return holds(fd) ? table_[static_cast<std::size_t>(fd)].of : nullptr;
  }
  [[nodiscard]] entry& operator[](int fd) noexcept { return table_[static_cast<std::size_t>(fd)]; }
  [[nodiscard]] bool has_room(int many = 1) const noexcept;
  [[nodiscard]] int limit() const noexcept { return most_; }
  void set_limit(int most) noexcept { most_ = most; }
  // One more than the highest number there has been.
  [[nodiscard]] int end() const noexcept { return static_cast<int>(table_.size()); }

 private:
  [[nodiscard]] bool holds(int fd) const noexcept {
    return fd >= 0 && static_cast<std::size_t>(fd) < table_.size();
  }
  void drop(const entry& e) const;
  int most_;
  bool let_go_ = false;
  std::vector<entry> table_;
};

}  // namespace iolite::simulated
