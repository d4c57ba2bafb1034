// See switches.hpp; the layout of the buffers is that of perf_event_open(2).
#include "trace/switches.hpp"

#include "trace/files.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace iolite::trace {
namespace {

using kind = switch_event::kind;

// 256 KiB of records: below perf_event_mlock_kb, which bounds what an ordinary user may have.
constexpr std::size_t data_bytes = std::size_t{256} * 1024;

struct tracepoint {
  const char* path;
  kind what;
};
constexpr std::array<tracepoint, 3> known_points = {
    tracepoint{"/sys/kernel/tracing/events/sock/sk_data_ready/id", kind::data_ready},
    tracepoint{"/sys/kernel/tracing/events/skb/skb_copy_datagram_iovec/id", kind::copy_begins},
    tracepoint{"/sys/kernel/tracing/events/sock/sock_recv_length/id", kind::copied}};

std::size_t page_bytes() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

perf_event_attr attributes(std::uint32_t type, std::uint64_t config) noexcept {
  perf_event_attr a{};
  a.type = type;
  a.size = sizeof a;
  a.config = config;
  a.sample_type =
      PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID;  // what `stamp` below is made of
  a.sample_id_all = 1;
  a.inherit = 1;
  a.use_clockid = 1;
  a.clockid = CLOCK_MONOTONIC;
  return a;
}

perf_event_attr switches_only() noexcept {
  perf_event_attr a = attributes(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY);
  a.context_switch = 1;
  a.exclude_kernel = 1;
  a.exclude_hv = 1;
  a.watermark = 1;
  a.wakeup_watermark = 1U << 30;  // nobody waits for it
  return a;
}

// What a sample consists of, and what follows every other record.
struct stamp {
  std::uint32_t process, thread;
  std::uint64_t time, id;
};

int point_number(kernel& os, const char* path) {
  const std::string text = read_file(os, path);
  int n = -1;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

kind kind_of(const perf_event_header& h) noexcept {
  if ((h.misc & PERF_RECORD_MISC_SWITCH_OUT) == 0) return kind::woke;
  return (h.misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT) != 0 ? kind::preempted : kind::slept;
}

// A buffer as bytes that begin anew at its end.
struct circle {
  const std::byte* data;
  template <class T>
  [[nodiscard]] T at(std::uint64_t place) const noexcept {
    T out;
    const std::size_t from = place % data_bytes;
    const std::size_t before_end = std::min(sizeof(T), data_bytes - from);
    std::memcpy(&out, data + from, before_end);
    std::memcpy(reinterpret_cast<std::byte*>(&out) + before_end, data, sizeof(T) - before_end);
    return out;
  }
};

}  // namespace

switch_log::switch_log(kernel& os) : os_(os) {
  std::ranges::transform(known_points, point_numbers_.begin(),
                         [&](const tracepoint& p) { return point_number(os, p.path); });
  const long cpus = ::sysconf(_SC_NPROCESSORS_CONF);
  for (int cpu = 0; cpu < cpus && error_ == 0; ++cpu) error_ = open(cpu);
  if (error_ == 0 && buffers_.empty()) error_ = ENODEV;
  if (error_ != 0) close();
  has_points_ = !buffers_.empty() && std::ranges::all_of(buffers_, [](const buffer& b) {
    return std::ranges::all_of(b.of_points, [](int fd) { return fd >= 0; });
  });
}

switch_log::~switch_log() { close(); }

void switch_log::close() noexcept {
  for (const buffer& b : buffers_) {
    os_.munmap(b.at, data_bytes + page_bytes());
    for (const int fd : b.of_points)
      if (fd >= 0) os_.close(fd);
    os_.close(b.fd);
  }
  buffers_.clear();
}

int switch_log::open(int cpu) {
  const perf_event_attr a = switches_only();
  const int fd = os_.perf_event_open(&a, cpu);
  if (fd == -ENODEV) return 0;  // the processor is off
  if (fd < 0) return -fd;
  const long at = os_.mmap(data_bytes + page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (!kernel::is_address(at)) {
    os_.close(fd);
    return static_cast<int>(-at);
  }
  buffer b{.at = reinterpret_cast<void*>(at), .fd = fd, .of_points = {}, .ids = {}};
  open_points(cpu, b);
  buffers_.push_back(b);
  return 0;
}

void switch_log::open_points(int cpu, buffer& b) {
  for (std::size_t i = 0; i < points; ++i) {
    b.of_points[i] = -1;
    if (point_numbers_[i] < 0) continue;
    perf_event_attr a =
        attributes(PERF_TYPE_TRACEPOINT, static_cast<std::uint64_t>(point_numbers_[i]));
    a.sample_period = 1;
    const int fd = os_.perf_event_open(&a, cpu);
    if (fd < 0) continue;
    b.of_points[i] = fd;
    os_.perf_ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, b.fd);
    os_.perf_ioctl(fd, PERF_EVENT_IOC_ID, reinterpret_cast<long>(&b.ids[i]));
  }
}

bool switch_log::read(std::vector<switch_event>& into) {
  const auto first = std::ssize(into);
  bool whole = true;
  for (const buffer& b : buffers_) whole = read(b, into) && whole;
  // Not stable_sort, which clang warns of; events of one thread never have the same time.
  std::sort(into.begin() + first, into.end(),
            [](const switch_event& a, const switch_event& b) { return a.when < b.when; });
  return whole;
}

bool switch_log::read(const buffer& b, std::vector<switch_event>& into) const {
  auto* const page = static_cast<perf_event_mmap_page*>(b.at);
  const circle bytes{static_cast<const std::byte*>(b.at) + page_bytes()};
  const std::uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
  std::uint64_t tail = page->data_tail;
  bool whole = true;
  while (tail < head) {
    const auto header = bytes.at<perf_event_header>(tail);
    const auto s = bytes.at<stamp>(tail + sizeof header);
    const clock::time_point when{clock::duration(static_cast<clock::rep>(s.time))};
    if (header.type == PERF_RECORD_LOST) whole = false;
    else if (header.type == PERF_RECORD_SWITCH)
      into.push_back({when, static_cast<int>(s.thread), kind_of(header)});
    else if (header.type == PERF_RECORD_SAMPLE)
      for (std::size_t i = 0; i < points; ++i)
        if (b.of_points[i] >= 0 && b.ids[i] == s.id)
          into.push_back({when, static_cast<int>(s.thread), known_points[i].what});
    tail += header.size;
  }
  __atomic_store_n(&page->data_tail, tail, __ATOMIC_RELEASE);
  return whole;
}

}  // namespace iolite::trace
