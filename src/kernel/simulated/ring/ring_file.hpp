// A simulated io_uring(7). The two queues lie in memory of ours, which the engine maps; it fills
// submissions there, and the interpreter below gives completions in any order a kernel may.
//
// A request that cannot go on waits for its file; it is done inside io_uring_enter(2) only, as
// IORING_SETUP_DEFER_TASKRUN promises. Its completion may come a little later than it, and after
// those of later ones; those of one request, and of one chain of links, come in order.
//
// Registered files are a table that begins empty: requests fill it, empty it, and name its slots.
//
// Not in it: IOSQE_IO_DRAIN, registered buffers, SQPOLL, bundles, zero copy, messages.
#pragma once
#include "kernel/simulated/descriptors/descriptors.hpp"
#include "kernel/simulated/descriptors/file.hpp"

#include <deque>
#include <linux/io_uring.h>
#include <map>

namespace iolite::simulated {

class any_socket;

class ring_file final : public file {
 public:
  ring_file(site& of, descriptors& files) : file(of), files_(files) {}

  // 0 or -errno; fills in what io_uring_setup(2) tells.
  int open(unsigned entries, io_uring_params& p);
  // The memory at an offset of mmap(2); null: there is none.
  [[nodiscard]] std::shared_ptr<std::byte[]> map(std::size_t bytes, long offset) const;
  int configure(unsigned operation, const void* argument, unsigned count);

  // --- the parts of io_uring_enter(2) ---
  [[nodiscard]] bool is_enabled() const noexcept { return enabled_; }
  // How many were taken; -EBUSY: completions wait for room in their queue; -EAGAIN: no memory.
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
    std::uint16_t priority, buffer_group;
    int fd;
    std::uint32_t bytes, call_flags;
    std::uint64_t address, offset, user_data;
    std::uint32_t file_index;
    [[nodiscard]] bool has(unsigned flag) const noexcept { return (flags & flag) != 0; }
  };
  using chain = std::deque<submission>;

  // A file that a multishot poll waits for has changed.
  struct news final : watcher {
    explicit news(file& f) : of(f) { of.watch(*this); }
    news(const news&) = delete;
    news& operator=(const news&) = delete;
    ~news() { of.unwatch(*this); }
    void file_changed(short) override { untold = true; }
    file& of;
    bool untold = true;
  };
  struct request {
    submission asked{};
    std::uint64_t id = 0, line = 0;  // completions of one line come in order
    bool alone = false;  // in its line, and ended by one completion
    std::vector<iovec> pieces;  // SENDMSG: read when it begins, IORING_FEAT_SUBMIT_STABLE
    chain then;  // what is linked to it
    std::shared_ptr<file> on;  // held open while it lasts
    clock::time_point earliest{};  // a disk takes its time, a time-out is one
    std::uint64_t begun_after = 0;  // so many completions: TIMEOUT
    std::uint64_t guards = 0;  // the request that this LINK_TIMEOUT ends
    std::unique_ptr<news> changes;
  };
  struct completion {
    std::uint64_t line;
    std::uint64_t user_data;
    int result;
    unsigned flags;
  };
  struct buffers {
    io_uring_buf* entries;
    std::uint32_t count;
    std::uint16_t head;
    // Where it is filled in parts, the completions of single receives come in that order, and
    // those of multishot ones in a line of their own: a kernel posts the latter at once. Else 0.
    std::uint64_t line;
    [[nodiscard]] std::uint64_t line_of(bool multishot) const noexcept {
      return line + (multishot ? 1 : 0);
    }
  };

  [[nodiscard]] unsigned& word(unsigned offset) const noexcept;
  [[nodiscard]] submission next_submission() const noexcept;
  bool begin(chain what, std::uint64_t line, bool alone);
  void wait_for(request r);
  void settle(const request& r, int result, unsigned flags = 0);
  void give(const request& r, int result, unsigned flags);
  void end(std::size_t at, int result, unsigned flags = 0);
  void sweep();
  void post();
  [[nodiscard]] bool has_room() const noexcept {
    return completions() + done_.size() < completions_max_;
  }

  // --- ring_requests.cpp: -EAGAIN where it waits; IORING_CQE_F_MORE where it goes on ---
  int attempt(request& r, unsigned& flags);
  int at_once(const submission& asked);
  int accept(request& r, unsigned& flags);
  int connect(request& r);
  int receive(request& r, unsigned& flags);
  int receive_into_group(request& r, any_socket& s, unsigned& flags);
  [[nodiscard]] static unsigned use_up(buffers& group, std::uint32_t bytes) noexcept;
  int send(request& r);
  int poll(request& r, unsigned& flags) const;
  int transfer(request& r);
  int shut_down(const request& r);
  [[nodiscard]] static bool hurries(const request& r) noexcept;
  [[nodiscard]] bool has_buffer(const submission& asked) const;
  [[nodiscard]] static bool is_multishot(const submission& asked) noexcept;
  [[nodiscard]] static bool is_known(const submission& asked) noexcept;
  [[nodiscard]] static bool needs_file(const submission& asked) noexcept;
  [[nodiscard]] bool wrong(fault_kind k) { return world().goes_wrong(k, of().number); }

  // --- ring_slots.cpp: registered files ---
  int make_slots(const void* argument);
  int empty_slot(const void* argument);
  static int probe(const void* argument, unsigned most);
  int add(const submission& asked, std::shared_ptr<file> f);
  int put_into_slots(const submission& asked);
  int install(const request& r);
  int close(const submission& asked);

  // --- ring_cancels.cpp: what ends other requests ---
  int cancel(const submission& asked);
  int cancel_at(std::size_t at);
  int remove(const submission& asked, std::uint8_t opcode);
  void guard(request& r);
  int time_out(request& r);
  int fire(const request& guard);
  void release_guard(std::uint64_t id);
  [[nodiscard]] clock::time_point time_of(const submission& asked) const;

  descriptors& files_;
  descriptors slots_{0};
  unsigned submissions_ = 0, completions_max_ = 0;  // sizes of the queues
  bool enabled_ = false;
  bool submits_all_ = false;  // also what follows a request that makes no sense
  bool has_buffer_rings_ = true;
  bool has_incremental_ = true;
  std::shared_ptr<std::byte[]> queues_, entries_;
  std::size_t queues_bytes_ = 0;
  std::vector<std::unique_ptr<request>> pending_;  // null: over, until sweep()
  std::vector<completion> done_;  // may be posted now
  std::uint64_t numbers_ = 0;
  std::uint64_t given_ = 0;  // completions, those of time-outs not counted
  std::map<std::uint16_t, buffers> buffers_;
};

}  // namespace iolite::simulated
