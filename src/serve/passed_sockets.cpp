// Sockets that listen already and are passed to serve(): see serve_options::listen.
#include "serve/passed_sockets.hpp"

#include "iolite/serve.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <sys/socket.h>
#include <system_error>

namespace iolite {
namespace {

constexpr std::string_view prefix = "fd:";
constexpr int first_passed = 3;  // sd_listen_fds(3)

std::unexpected<error> refused(std::string_view text, int r, std::string why) {
  return std::unexpected(error{std::error_code(r, std::system_category()),
                               "cannot listen on " + std::string(text) + ": " + std::move(why)});
}

// Empty: it is no number.
std::optional<int> number_in(std::string_view digits) noexcept {
  int n = -1;
  const char* const begin = digits.data();
  const char* const end = begin + digits.size();
  const auto [stop, wrong] = std::from_chars(begin, end, n);
  if (wrong != std::errc() || stop != end || n < 0) return {};
  return n;
}

// What getsockopt(2) says, or -errno.
int option_of(kernel& os, int fd, int name) noexcept {
  int value = 0;
  socklen_t n = sizeof value;
  const int r = os.getsockopt(fd, SOL_SOCKET, name, &value, &n);
  return r < 0 ? r : value;
}

}  // namespace

bool names_passed_socket(std::string_view text) noexcept { return text.starts_with(prefix); }

std::expected<passed_socket, error> find_passed_socket(kernel& os, std::string_view text) {
  const auto number = number_in(text.substr(prefix.size()));
  if (!number) return refused(text, EINVAL, "write the number of a descriptor, for instance fd:3");
  const int listens = option_of(os, *number, SO_ACCEPTCONN);
  if (listens == -EBADF) return refused(text, EBADF, "there is no such descriptor");
  if (listens == -ENOTSOCK) return refused(text, ENOTSOCK, "it is no socket");
  if (listens < 0) return refused(text, -listens, std::system_category().message(-listens));
  if (listens == 0 || option_of(os, *number, SO_TYPE) != SOCK_STREAM) {
    return refused(text, EINVAL, "it is no stream socket that listens; call listen(2) on it first");
  }
  sockaddr_storage a{};
  socklen_t n = sizeof a;
  const int r = os.getsockname(*number, reinterpret_cast<sockaddr*>(&a), &n);
  if (r < 0) return refused(text, -r, std::system_category().message(-r));
  passed_socket out{*number, endpoint::from_native(&a, n)};
  if (!out.at.is_tcp() && !out.at.is_unix()) return refused(text, EINVAL, "it is not TCP or unix");
  return out;
}

void make_nonblocking(kernel& os, int fd, bool on) noexcept {
  const int flags = os.fcntl(fd, F_GETFL);
  if (flags < 0) return;
  os.fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

// --- from systemd ---

namespace {

int number_from(const char* variable) noexcept {
  const char* const text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): as documented
  return text ? number_in(text).value_or(0) : 0;
}

}  // namespace

std::vector<std::string> sockets_from_systemd() {
  constexpr int most = 1024;
  kernel& os = kernel::real();
  std::vector<std::string> out;
  const int n = number_from("LISTEN_FDS");
  if (number_from("LISTEN_PID") != os.getpid() || n > most) return out;
  for (int fd = first_passed; fd < first_passed + n; ++fd) {
    os.fcntl(fd, F_SETFD, FD_CLOEXEC);
    out.push_back(std::string(prefix) + std::to_string(fd));
  }
  return out;
}

}  // namespace iolite
