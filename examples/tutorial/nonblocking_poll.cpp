// Non-blocking I/O with nothing else: every client is asked again and again.
//
// One thread serves all, for no call waits: what is not there is EAGAIN. But nobody says when to
// ask once more. Asking at once burns a core, also while all are idle. With a pause between two
// rounds the core is free, and each message lies there until the next round. No pause is right:
// that is why select(2) and its heirs exist.
//
// Each second it prints what it used, and how long the average message lay in the kernel unseen.
// Try it with `nc 127.0.0.1 7000`, idle and with lines, then with --sleep-ms 100.
#include "support/lines.hpp"
#include "support/options.hpp"
#include "support/sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fmt/core.h>
#include <map>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace {

struct tally {
  long rounds = 0;
  int messages = 0, stamped = 0;
  double lay = 0;  // seconds, of all that are stamped
};

double seconds(timespec t) { return double(t.tv_sec) + double(t.tv_nsec) / 1e9; }
double seconds(clockid_t which) {
  timespec now{};
  ::clock_gettime(which, &now);
  return seconds(now);
}

// Bytes, and a stamp of when the kernel got them: SO_TIMESTAMPNS in socket(7).
ssize_t receive(int fd, std::string& unsent, tally& sum) {
  char bytes[4096];
  alignas(cmsghdr) char control[256];
  iovec into{bytes, sizeof bytes};
  msghdr message{
      .msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  const ssize_t n = ::recvmsg(fd, &message, 0);
  if (n <= 0) return n;
  unsent = tutorial::upper({bytes, static_cast<std::size_t>(n)});
  ++sum.messages;
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (!head) return n;  // the kernel may stamp from the second message on
  timespec came{};
  std::memcpy(&came, CMSG_DATA(head), sizeof came);
  sum.lay += seconds(CLOCK_REALTIME) - seconds(came);
  ++sum.stamped;
  return n;
}

// False: the client is gone.
bool ask(int fd, std::string& unsent, tally& sum) {
  ssize_t n = unsent.empty() ? receive(fd, unsent, sum) : 1;
  if (n > 0) n = ::send(fd, unsent.data(), unsent.size(), 0);
  if (n > 0) unsent.erase(0, static_cast<std::size_t>(n));
  if (n > 0 || (n < 0 && errno == EAGAIN)) return true;
  ::close(fd);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  int sleep_ms = 0;
  tutorial::parse(argc, argv, "answers in upper case, and asks every client again and again",
                  {{"--listen", &listen, "where"}, {"--sleep-ms", &sleep_ms, "between rounds"}});
  tutorial::on_stop([] {});
  const int listener = tutorial::listen_on(listen);
  std::map<int, std::string> unsent;  // of each client; while there is some, nothing is received
  tally sum;
  double since = seconds(CLOCK_MONOTONIC), used = seconds(CLOCK_PROCESS_CPUTIME_ID);
  while (!tutorial::stopped()) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const int on = 1;
    if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    if (fd >= 0) unsent.emplace(fd, "");
    for (auto at = unsent.begin(); at != unsent.end();)
      at = ask(at->first, at->second, sum) ? std::next(at) : unsent.erase(at);
    ++sum.rounds;
    if (sleep_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(sleep_ms));
    const double now = seconds(CLOCK_MONOTONIC);
    if (now - since < 1) continue;
    tutorial::say(fmt::format(
        "{:.2f} s: {:.3f} s of CPU, {} rounds, {} clients, {} messages, unseen for {:.3f} ms",
        now - since, seconds(CLOCK_PROCESS_CPUTIME_ID) - used, sum.rounds, unsent.size(),
        sum.messages, 1000 * sum.lay / std::max(sum.stamped, 1)));
    since = now, used = seconds(CLOCK_PROCESS_CPUTIME_ID), sum = {};
  }
}
