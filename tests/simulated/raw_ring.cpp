// See raw_ring.hpp.
#include "raw_ring.hpp"

#include "kernel/ring_names.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <sys/utsname.h>
#include <utility>

namespace iolite_test {

using namespace iolite;

raw_ring::page::page(kernel& k)
    : os(k), at(reinterpret_cast<void*>(
                 os.mmap(4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {}

raw_ring::page::~page() { os.munmap(at, 4096); }

raw_ring::raw_ring(session& s, unsigned entries, unsigned flags)
    : s_(s), ring_(s.os()), buffer_ring_(s.os()) {
  s.note("io_uring_setup", std::min(ring_.open(entries, flags), 0));
}

io_uring_sqe& raw_ring::next(std::uint64_t name, std::uint8_t opcode, int fd) {
  io_uring_sqe* e = ring_.next();
  if (!e) {
    submit();
    e = ring_.next();
  }
  e->opcode = opcode;
  e->fd = fd;
  e->user_data = name;
  return *e;
}

io_uring_sqe& raw_ring::receive(std::uint64_t name, int fd, std::span<char> into) {
  io_uring_sqe& e = next(name, IORING_OP_RECV, fd);
  e.addr = reinterpret_cast<std::uint64_t>(into.data());
  e.len = static_cast<unsigned>(into.size());
  return e;
}

io_uring_sqe& raw_ring::send(std::uint64_t name, int fd, std::string_view bytes) {
  io_uring_sqe& e = next(name, IORING_OP_SEND, fd);
  e.addr = reinterpret_cast<std::uint64_t>(bytes.data());
  e.len = static_cast<unsigned>(bytes.size());
  e.msg_flags = MSG_NOSIGNAL;
  return e;
}

io_uring_sqe& raw_ring::time_out(std::uint64_t name, std::uint8_t opcode,
                                 std::chrono::nanoseconds length) {
  times_.push_back(std::make_unique<__kernel_timespec>());
  times_.back()->tv_sec = length.count() / 1'000'000'000;
  times_.back()->tv_nsec = length.count() % 1'000'000'000;
  io_uring_sqe& e = next(name, opcode);
  e.addr = reinterpret_cast<std::uint64_t>(times_.back().get());
  e.len = 1;
  return e;
}

void raw_ring::cancel(std::uint64_t name, std::uint64_t whom, unsigned flags, int fd) {
  io_uring_sqe& e = next(name, IORING_OP_ASYNC_CANCEL, fd);
  e.addr = whom;
  e.cancel_flags = flags;
}

void raw_ring::configure(unsigned operation, const void* argument, unsigned count) {
  s_.note("io_uring_register", ring_.register_with(operation, argument, count));
}

void raw_ring::submit() { s_.note("submitted", ring_.enter(0, nullptr)); }

void raw_ring::submit_and_wait(unsigned completions) {
  const timespec second{1, 0};
  s_.note("submitted", ring_.enter(completions, &second));
}

std::map<std::uint64_t, int> raw_ring::take_now() {
  std::map<std::uint64_t, int> out;
  for (; const io_uring_cqe* e = ring_.front(); ring_.pop()) out[e->user_data] = e->res;
  return out;
}

std::map<std::uint64_t, std::vector<io_uring_cqe>> raw_ring::take(unsigned completions) {
  std::map<std::uint64_t, std::vector<io_uring_cqe>> out;
  const timespec soon{1, 0};
  for (unsigned got = 0; got < completions;) {
    const int r = ring_.enter(1, &soon);
    if (r == -ETIME && !ring_.front()) break;
    for (; const io_uring_cqe* e = ring_.front(); ++got, ring_.pop()) {
      out[e->user_data].push_back({.user_data = e->user_data, .res = e->res, .flags = e->flags});
    }
  }
  return out;
}

void raw_ring::expect(unsigned completions) {
  for (const auto& [name, all] : take(completions)) {
    for (const io_uring_cqe& e : all) {
      std::string what = std::to_string(name);
      if ((e.flags & IORING_CQE_F_MORE) != 0) what += " MORE";
      if ((e.flags & IORING_CQE_F_BUFFER) != 0 && e.res > 0) what += " BUFFER";
      if ((e.flags & ring_buffer_has_more) != 0) what += " BUF_MORE";
      s_.note(what, e.res);
    }
  }
  const timespec moment{0, 1'000'000};
  ring_.enter(1, &moment);
  s_.note("none is left", ring_.front() == nullptr);
}

void raw_ring::lend(unsigned count, unsigned bytes, std::uint16_t flags) {
  buffers_.resize(std::size_t{count} * bytes);
  buffer_bytes_ = bytes;
  auto* const entries = static_cast<io_uring_buf*>(buffer_ring_.at);
  io_uring_buf_reg reg{};
  reg.ring_addr = reinterpret_cast<std::uint64_t>(entries);
  reg.ring_entries = 8;
  reg.bgid = 1;
  iolite::flags_of(reg) = flags;
  s_.note("buffers", ring_.register_with(IORING_REGISTER_PBUF_RING, &reg, 1));
  for (unsigned i = 0; i < count; ++i) {
    entries[i].addr = reinterpret_cast<std::uint64_t>(buffers_.data() + std::size_t{i} * bytes);
    entries[i].len = bytes;
    entries[i].bid = static_cast<std::uint16_t>(i);
  }
  __atomic_store_n(&entries[0].resv, static_cast<std::uint16_t>(count), __ATOMIC_RELEASE);
}

std::string raw_ring::lent(unsigned id, std::size_t bytes) const {
  return buffers_.substr(std::size_t{id} * buffer_bytes_, bytes);
}

std::string why_no_ring_of(int major, int minor) {
  iolite::ring real(iolite::kernel::real());
  const int r = real.open(2, IORING_SETUP_CLAMP);
  if (r < 0) return std::string("io_uring_setup on this machine: ") + strerrorname_np(-r);
  utsname system{};
  ::uname(&system);
  int has_major = 0, has_minor = 0;
  std::sscanf(system.release, "%d.%d", &has_major, &has_minor);
  if (std::pair(has_major, has_minor) >= std::pair(major, minor)) return {};
  return "Linux " + std::string(system.release) + " is older";
}

}  // namespace iolite_test
