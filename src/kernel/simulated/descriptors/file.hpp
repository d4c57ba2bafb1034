// An open file description: what descriptors refer to. What it is ready for is said by one
// function, which select(2), poll(2), epoll(7) and blocking calls all ask.
//
// Calls never wait here: what would wait is -EAGAIN, and the process waits for readiness.
#pragma once
#include "kernel/simulated/world/machine.hpp"

#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <span>
#include <vector>

struct stat;

namespace iolite::simulated {

// Told when a file it watches may have become ready: an epoll set.
class watcher {
 public:
  virtual void file_changed(short bits) = 0;

 protected:
  ~watcher() = default;
};

class file : public std::enable_shared_from_this<file> {
 public:
  explicit file(site& of) noexcept : site_(of) {}
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  virtual ~file() = default;

  // The bits of poll(2) that hold now.
  [[nodiscard]] virtual short readiness() const = 0;
  virtual long read(std::span<std::byte>) { return -EINVAL; }
  virtual long write(std::span<const std::byte>) { return -EINVAL; }
  // At a place of its own: only files of a disk have places. pread(2), pwrite(2).
  virtual long read_at(std::span<std::byte>, std::uint64_t) { return -ESPIPE; }
  virtual long write_at(std::span<const std::byte>, std::uint64_t) { return -ESPIPE; }
  virtual long sync() { return -EINVAL; }
  virtual void about(struct stat& out) const;  // fstat(2)
  // S_IFSOCK and the like; an eventfd has none.
  [[nodiscard]] virtual unsigned mode_type() const noexcept { return 0; }
  [[nodiscard]] virtual bool is_regular() const noexcept { return false; }
  [[nodiscard]] virtual bool can_be_watched() const noexcept { return true; }
  // select(2), "Bugs": of some files it is said that they are readable, and then nothing is there.
  [[nodiscard]] virtual bool may_seem_ready() const noexcept { return false; }
  // Not all do: fcntl(2), F_SETFL.
  [[nodiscard]] virtual bool sends_signals() const noexcept { return false; }
  // In words, for reports: `tcp 10.0.0.1:7000 to 10.0.0.2:40000`.
  [[nodiscard]] virtual std::string describe() const = 0;
  // The last descriptor is gone.
  virtual void closed() {}

  // Descriptors that refer to it: see descriptors.hpp.
  void opened() noexcept { ++descriptors_; }
  void dropped() {
    if (--descriptors_ == 0) closed();
  }
  [[nodiscard]] bool is_open() const noexcept { return descriptors_ > 0; }

  void watch(watcher& w) { watchers_.push_back(&w); }
  void unwatch(watcher& w) noexcept { std::erase(watchers_, &w); }

  // How long a call that waits does so; zero: for ever. SO_RCVTIMEO, SO_SNDTIMEO.
  clock::duration receives_for{}, sends_for{};
  int status_flags = 0;  // F_GETFL: the access mode, O_NONBLOCK, O_ASYNC
  // The recipient of the signals of an O_ASYNC file: F_SETOWN_EX, F_SETSIG. `fd` is the number that
  // was used to ask for them.
  struct {
    int type = 0, id = 0, number = 0, fd = -1;
  } owner;
  [[nodiscard]] bool is_async() const noexcept { return (status_flags & O_ASYNC) != 0; }
  long set_async(bool on, int fd);

 protected:
  // Something happened that may have made `bits` hold: also when they held before, since edges are
  // told of each.
  void changed(short bits) {
    changed_by_us(bits);
    if (is_async()) tell_owner(bits);
  }
  // The same, by this process itself: no signal says so.
  void changed_by_us(short bits) {
    ++site_.version;
    for (std::size_t i = 0; i < watchers_.size(); ++i) watchers_[i]->file_changed(bits);
  }
  // Would room be news to a process that waits for a signal?
  virtual bool tells_of_room() { return true; }
  [[nodiscard]] site& of() const noexcept { return site_; }
  [[nodiscard]] machine& world() const noexcept { return site_.world; }

 private:
  void tell_owner(short bits);

  site& site_;
  int descriptors_ = 0;
  std::vector<watcher*> watchers_;
};

}  // namespace iolite::simulated
