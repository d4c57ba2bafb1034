// epoll(7): level, edge and one-shot, with the algorithm of the real one. A change puts the entry
// on the ready list; a wait asks each of those what it is ready for, and keeps there who is
// level-triggered. In which order they are reported is chosen by the seed.
#pragma once
#include "kernel/simulated/descriptors/file.hpp"

#include <map>
#include <sys/epoll.h>

namespace iolite::simulated {

class epoll_set final : public file {
 public:
  explicit epoll_set(site& of) noexcept : file(of) {}
  ~epoll_set() override;

  int control(int operation, int fd, const std::shared_ptr<file>& f, const epoll_event* e);
  // How many there are; those reported are written to `out`.
  int collect(std::span<epoll_event> out);
  // Reports as readable one that is not; false: there is none.
  bool lie(epoll_event& out);

  [[nodiscard]] short readiness() const override;
  void closed() override { entries_.clear(); }
  [[nodiscard]] std::string describe() const override {
    return "epoll set of " + std::to_string(entries_.size());
  }

 private:
  // A descriptor number may be used again while its old file lives on behind a duplicate: the
  // number of the registration tells them apart.
  struct entry final : watcher {
    entry(epoll_set& s, int number, std::weak_ptr<file> f, const epoll_event& e)
        : set(s), fd(number), of(std::move(f)), asked(e) {}
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    ~entry() {
      if (const auto f = of.lock()) f->unwatch(*this);
    }
    void file_changed(short bits) override;
    [[nodiscard]] unsigned ready() const;

    epoll_set& set;
    const int fd;
    const std::weak_ptr<file> of;
    epoll_event asked;
    bool armed = true;
    bool listed = false;
  };

  entry* find(int fd, const file* f) noexcept;
  void forget_closed();

  std::vector<std::unique_ptr<entry>> entries_;
};

}  // namespace iolite::simulated
