// A simulated io_uring(7). The two queues lie in memory of ours, which the engine maps; it fills
// submissions there, and the interpreter below gives completions in any order a kernel may.
//
// A request that cannot go on waits for its file; it is done inside io_uring_enter(2) only, as
// IORING_SETUP_DEFER_TASKRUN promises. Its completion may come a little later than it, and after
// those of later ones. Some rings, as the seed wills, are of an older kernel: without
// DEFER_TASKRUN, or without buffer rings.
//
// Not in it: multishot requests, links, time-outs as requests, registered files, SQPOLL.
#pragma once
#include "kernel/simulated/descriptors.hpp"
#include "kernel/simulated/file.hpp"

#include <linux/io_uring.h>
#include <map>

namespace iolite::simulated {

class ring_file final : public file {
 public:
  ring_file(site& of, descriptors& files) : file(of), files_(files) {}

  // 0 or -errno; fills in what io_uring_setup(2) tells.
  int open(unsigned entries, io_uring_params& p);
  // The memory at an offset of mmap(2); null: there is none.
  [[nodiscard]] std::shared_ptr<std::byte[]> map(std::size_t bytes, long offset) const;
  int configure(unsigned operation, const void* argument);

  // --- the parts of io_uring_enter(2) ---
  [[nodiscard]] bool is_enabled() const noexcept { return enabled_; }
  // How many were taken, or -EBUSY: completions wait for room in their queue.
  int submit(unsigned most);
  // Does what can be done, and puts completions into their queue.
  void progress();
  [[nodiscard]] unsigned completions() const noexcept;

  [[nodiscard]] short readiness() const override { return completions() > 0 ? POLLIN : short{0}; }
  [[nodiscard]] std::string describe() const override {
    return "io_uring with " + std::to_string(pending_.size()) + " requests";
  }
  void closed() override;

 private:
  // What is used of an io_uring_sqe, which itself holds an array of no elements.
  struct submission {
    std::uint8_t opcode, flags;
    std::uint16_t buffer_group;
    int fd;
    std::uint32_t bytes, call_flags;
    std::uint64_t address, offset, user_data;
  };
  struct request {
    submission asked{};
    std::shared_ptr<file> on;  // held open while it lasts
    clock::time_point earliest{};  // a disk takes its time
  };
  struct completion {
    std::uint64_t user_data;
    int result;
    unsigned flags;
  };
  struct buffers {
    io_uring_buf* entries;
    std::uint32_t count;
    std::uint16_t head;
  };

  [[nodiscard]] unsigned& word(unsigned offset) const noexcept;
  void begin(const submission& asked);
  void post();
  void give(const submission& asked, int result, unsigned flags = 0);
  void end(std::size_t at, int result, unsigned flags = 0);
  void cancel(const submission& asked);
  void let_wait(request r);

  // --- ring_requests.cpp: -EAGAIN where it waits ---
  int attempt(request& r, unsigned& flags);
  int accept(request& r);
  int connect(request& r);
  int receive(request& r, unsigned& flags);
  int send(request& r);
  int poll(const request& r) const;
  int transfer(request& r);
  [[nodiscard]] bool wrong(fault_kind k) { return world().goes_wrong(k, of().number); }

  descriptors& files_;
  unsigned submissions_ = 0, completions_max_ = 0;  // sizes of the queues
  bool enabled_ = false;
  bool has_buffer_rings_ = true;
  std::shared_ptr<std::byte[]> queues_, entries_;
  std::size_t queues_bytes_ = 0;
  std::vector<request> pending_;
  std::vector<completion> done_;  // may be posted now
  unsigned late_ = 0;             // those that will be
  std::map<std::uint16_t, buffers> buffers_;
};

}  // namespace iolite::simulated
