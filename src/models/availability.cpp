// See availability.hpp.
#include "models/availability.hpp"

#include "core/process.hpp"
#include "iolite/core/buffer.hpp"
#include "iolite/scope.hpp"
#include "iolite/system_descriptor.hpp"
#include "iolite/time.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <span>
#include <utility>

namespace iolite {
namespace {

using std::chrono::seconds;

// A send, a receive or a leased receive, as a stream makes it; but streams are above this.
class test_operation : public awaitable_operation {
 public:
  test_operation(op_kind what, int socket, std::span<std::byte> bytes) noexcept {
    kind = what;
    fd = socket;
    payload = bytes.data();
    size = bytes.size();
    all = true;
  }
  explicit test_operation(int socket) noexcept {
    kind = op_kind::recv;
    fd = socket;
    size = buffer_pool::buffer_bytes;
    picks_buffer = true;
  }
  // How many bytes have moved.
  result<std::size_t> await_resume() noexcept {
    const int r = end();
    if (r < 0) return failure(r);
    return static_cast<std::size_t>(r);
  }
};

task<result<void>> send_all(int socket, std::span<const std::byte> bytes) {
  const std::span all(const_cast<std::byte*>(bytes.data()), bytes.size());  // they are only read
  test_operation sending(op_kind::send, socket, all);
  const auto sent = co_await (sending | within(seconds(2)));
  if (!sent) co_return std::unexpected(sent.error());
  co_return result<void>();
}

// One message each way, so that both phases of both directions have worked once.
task<result<void>> exchange_bytes(int a, int b) {
  const std::array<std::byte, 3> sent{std::byte{1}, std::byte{2}, std::byte{3}};
  std::array<std::byte, 3> got{};
  const auto out = co_await send_all(a, sent);
  if (!out) co_return out;
  test_operation receiving(op_kind::recv, b, got);
  const auto in = co_await (receiving | within(seconds(2)));
  if (!in) co_return std::unexpected(in.error());
  if (*in < got.size()) co_return std::unexpected(make_error_code(errc::end_of_stream));
  if (got != sent) co_return failure(-EIO);
  co_return result<void>();
}

// All leases are kept, so that each has to find a place of its own. They may be short.
task<result<void>> exchange_leases(engine& on, int a, int b) {
  const std::array<std::byte, 4> all{std::byte{4}, std::byte{5}, std::byte{6}, std::byte{7}};
  std::array<lease, all.size()> got;
  std::size_t leases = 0;
  std::size_t bytes = 0;
  for (const std::size_t sent : {2U, 4U}) {
    const auto out = co_await send_all(a, std::span(all).first(sent).subspan(bytes));
    if (!out) co_return out;
    while (bytes < sent) {
      test_operation receiving(b);
      const auto in = co_await (receiving | within(seconds(2)));
      if (!in) co_return std::unexpected(in.error());
      if (*in == 0 || *in > sent - bytes) co_return failure(-EIO);
      bytes += *in;
      got[leases++] = lease(*on.buffers(), receiving.payload.bytes, *in);
    }
  }
  bytes = 0;
  for (const lease& l : got) {
    const auto expected = std::span(all).subspan(bytes, l.bytes().size());
    if (!std::ranges::equal(l.bytes(), expected)) co_return failure(-EIO);
    bytes += expected.size();
  }
  co_return result<void>();
}

// A descriptor of the engine's, closed by it.
class socket_of {
 public:
  socket_of(engine& on, int fd) noexcept : on_(on), fd_(fd) {}
  socket_of(socket_of&& other) noexcept : on_(other.on_), fd_(std::exchange(other.fd_, -1)) {}
  ~socket_of() {
    if (fd_ >= 0) on_.close(fd_);
  }
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  engine& on_;
  int fd_;
};

task<result<void>> self_test(engine& on, socket_of a, socket_of b) {
  if (const auto r = co_await exchange_bytes(a.fd(), b.fd()); !r) co_return r;
  if (const auto r = co_await exchange_bytes(b.fd(), a.fd()); !r) co_return r;
  if (const auto r = co_await exchange_leases(on, a.fd(), b.fd()); !r) co_return r;
  const system_descriptor known(on, a.fd());
  const int r = known.number() < 0 ? known.number() : on.os().shutdown(known.number(), SHUT_WR);
  if (r < 0) co_return failure(r);
  co_return result<void>();
}

// What a person reads in /proc/sys/..., or empty.
std::string read_setting(kernel& os, const char* path) {
  std::array<char, 64> text{};
  const int fd = os.open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const long n = os.read(fd, text.data(), text.size() - 1);
  os.close(fd);
  std::string out(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

std::string explain_shortage(std::string_view name, int error) {
  switch (error) {
  case EMFILE: return "no descriptor is free; raise `ulimit -n`";
  case ENFILE: return "the system has no free descriptor; raise fs.file-max";
  case ENOSPC:
    return std::string(name) + ": the limit of what it may watch is reached; raise " +
           (name == "epoll" ? "fs.epoll.max_user_watches" : "it");
  default:
    return std::string(name) + ": " + std::system_category().message(error) +
           "; the system, or its control group, is short of memory for now";
  }
}

std::string explain_io_uring(kernel& os, int error) {
  switch (-error) {
  case ENOSYS:
    return "io_uring_setup: ENOSYS: this kernel has none that suffices (Linux 5.11 or later is "
           "needed, with "
           "CONFIG_IO_URING); use epoll";
  case EPERM:
  case EACCES: {
    const std::string off = read_setting(os, "/proc/sys/kernel/io_uring_disabled");
    if (off == "2") {
      return "io_uring_setup: EPERM: switched off on this machine; run `sysctl "
             "kernel.io_uring_disabled=0` as "
             "root, or use epoll";
    }
    if (off == "1") {
      return "io_uring_setup: EPERM: allowed to privileged users only; run `sysctl "
             "kernel.io_uring_disabled=0` as "
             "root, join the group of kernel.io_uring_group, or use epoll";
    }
    return "io_uring_setup: EPERM: blocked, most likely by the container's seccomp profile; run "
           "with a profile that "
           "allows io_uring_setup, io_uring_enter and io_uring_register (docker: --security-opt "
           "seccomp=PROFILE), or use epoll";
  }
  case ENOMEM: return "io_uring: ENOMEM: not enough locked memory; raise `ulimit -l`, or use epoll";
  case ENOTSUP:
    return "io_uring: this kernel has no direct descriptors that work (Linux 6.8 or later is "
           "needed); leave engine_options::direct_descriptors at 0";
  case E2BIG:
    return "io_uring: so many direct descriptors are more than `ulimit -n` or the kernel's "
           "1048576; "
           "raise the one or lower engine_options::direct_descriptors";
  default: return "io_uring: " + std::system_category().message(-error);
  }
}

}  // namespace

bool is_shortage(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
         error == ENOSPC || error == EAGAIN;
}

std::string explain(kernel& os, std::string_view name, int error) {
  if (name == "io_uring" && (error == -ENOMEM || !is_shortage(-error)))
    return explain_io_uring(os, error);
  if (is_shortage(-error)) return explain_shortage(name, -error);
  switch (-error) {
  case EOWNERDEAD:
    return std::string(name) +
           ": its helper threads were the parent's and are not in this child of "
           "fork(2); use it in the parent or in the child, not in both";
  case ENOTSUP:
    return "this system has no " + std::string(name) +
           (name == "kqueue" ? " (BSD and macOS have)" : "");
  default: return std::string(name) + ": " + std::system_category().message(-error);
  }
}

namespace {

// What is short is not broken.
availability after_self_test(kernel& os, std::string_view name, const std::error_code& why) {
  const std::error_condition c = why.default_error_condition();
  if (c.category() == std::generic_category() && is_shortage(c.value())) {
    return {false, c.value(), "the self-test met a shortage: " + explain(os, name, -c.value())};
  }
  return {false, ENOTSUP,
          "it can be made but does not work, the self-test ended with: " + why.message() +
              (name == "epoll" ? "; use poll" : "; use epoll") + " and report this kernel"};
}

}  // namespace

availability test_engine(kernel& os, std::string_view name, const made_engine& made) {
  if (!made.it) return {false, -made.error, explain(os, name, made.error)};
  // glibc's helpers do not survive a fork, and a test here would start some: children could not use
  // them any more. What is built in needs no test.
  if (name == "posix_aio") return {true, 0, {}};
  std::array<int, 2> two{};
  const int nonblocking = made.it->traits().needs_nonblocking ? SOCK_NONBLOCK : 0;
  if (const int r = os.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | nonblocking, two.data());
      r < 0) {
    return after_self_test(os, name, std::error_code(-r, std::system_category()));
  }
  const std::array<int, 2> own = {made.it->adopt(two[0]), made.it->adopt(two[1])};
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (own[i] < 0) os.close(two[i]);
  }
  socket_of first(*made.it, own[0]);
  socket_of second(*made.it, own[1]);
  if (const int r = std::min(own[0], own[1]); r < 0) {
    return after_self_test(os, name, std::error_code(-r, std::system_category()));
  }
  const auto r = made.it->run(self_test(*made.it, std::move(first), std::move(second)));
  if (r) return {true, 0, {}};
  return after_self_test(os, name, r.error());
}

std::vector<std::string> features_of(kernel& os, std::string_view name) {
  std::vector<std::string> out;
  if (name == "epoll") out.emplace_back("edge-triggered");
  if (name != "io_uring") return out;
  io_uring_params p{};
  p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  int fd = os.io_uring_setup(2, &p);
  if (fd >= 0) {
    out.emplace_back("single-issuer");
    out.emplace_back("defer-taskrun");
  } else {
    p = {};
    p.flags = IORING_SETUP_COOP_TASKRUN;
    fd = os.io_uring_setup(2, &p);
    if (fd >= 0) out.emplace_back("coop-taskrun");
  }
  if (fd < 0) return out;
  if ((p.features & IORING_FEAT_EXT_ARG) != 0) out.emplace_back("wait-timeout");
  if ((p.features & IORING_FEAT_NODROP) != 0) out.emplace_back("no-drop");
  // Registering from a bad address: EINVAL where the call is unknown, EFAULT where it looks at the
  // argument.
  const auto* const nowhere = reinterpret_cast<const void*>(8);  // NOLINT: an address nobody has
  if (os.io_uring_register(fd, IORING_REGISTER_PBUF_RING, nowhere, 1) == -EFAULT)
    out.emplace_back("buffer-ring");
  os.close(fd);
  return out;
}

}  // namespace iolite
