// When the threads of this process were on a processor: the kernel's own records of context
// switches, for an ordinary user at kernel.perf_event_paranoid <= 2. perf_event_open(2).
//
// The idea: a software event that counts nothing, PERF_RECORD_SWITCH beside it, one for each
// processor, inherited by threads that are made later. Where tracefs can be read and tracepoints
// may be used (root, CAP_PERFMON), those of arrival and copy come through the same buffers.
#pragma once
#include "kernel/kernel.hpp"
#include "trace/events.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace iolite::trace {

class switch_log {
 public:
  // Of the calling thread, and of those that it and its children make from now on.
  explicit switch_log(kernel& os);
  switch_log(const switch_log&) = delete;
  switch_log& operator=(const switch_log&) = delete;
  ~switch_log();

  // 0, or why there is none: an errno.
  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] bool has_tracepoints() const noexcept { return has_points_; }
  // Appends what was recorded since the last time, in order. False: some was lost.
  bool read(std::vector<switch_event>& into);

 private:
  static constexpr std::size_t points = 3;
  struct buffer {
    void* at;
    int fd;
    std::array<int, points> of_points;  // descriptors, or -1
    std::array<std::uint64_t, points> ids;  // by which samples name them
  };
  int open(int cpu);
  void open_points(int cpu, buffer& b);
  bool read(const buffer& b, std::vector<switch_event>& into) const;
  void close() noexcept;

  kernel& os_;
  int error_ = 0;
  bool has_points_ = false;
  std::array<int, points> point_numbers_{};
  std::vector<buffer> buffers_;
};

}  // namespace iolite::trace
