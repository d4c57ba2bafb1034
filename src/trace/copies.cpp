// See copies.hpp. The thread's processor clock gives its own part; that of the process less the
// thread's gives the part of helpers and of the kernel's workers, which belong to the process.
#include "trace/copies.hpp"

#include "trace/subjects.hpp"

#include <algorithm>
#include <ctime>

namespace iolite::trace {
namespace {

using namespace std::chrono_literals;

clock::duration processor_time(kernel& os, clockid_t of) noexcept {
  timespec t{};
  os.clock_gettime(of, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// Sends `bytes` and waits until they are at the other socket. False: it does not take so many.
bool put_there(kernel& os, const traced_engine& on, const std::vector<std::byte>& message) {
  const clock::time_point limit = os.now() + 200ms;
  std::size_t sent = 0;
  for (int there = 0; os.now() < limit;) {
    const long n = os.send(on.peer_fd(), message.data() + sent, message.size() - sent,
                           MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<std::size_t>(n);
    os.bytes_arrived(on.fd(), &there);
    if (static_cast<std::size_t>(there) >= message.size()) return true;
    constexpr timespec moment{0, 20'000};
    os.nanosleep(&moment);
  }
  return false;
}

clock::duration median(std::vector<clock::duration>& all) {
  std::ranges::sort(all);
  return all.empty() ? clock::duration::zero() : all[all.size() / 2];
}

// Processor time since its construction: of the calling thread, and of the other ones. To read two
// clocks takes a while, which is none of the others'.
class both_clocks {
 public:
  explicit both_clocks(kernel& os) noexcept
      : os_(os), process_(processor_time(os, CLOCK_PROCESS_CPUTIME_ID)),
        thread_(processor_time(os, CLOCK_THREAD_CPUTIME_ID)) {}
  [[nodiscard]] clock::duration of_others() const noexcept {
    const auto own = processor_time(os_, CLOCK_THREAD_CPUTIME_ID) - thread_;
    return processor_time(os_, CLOCK_PROCESS_CPUTIME_ID) - process_ - own;
  }

 private:
  kernel& os_;
  const clock::duration process_, thread_;
};

clock::duration time_to_read_clocks(kernel& os) {
  std::vector<clock::duration> all(15);
  for (clock::duration& one : all) one = both_clocks(os).of_others();
  return median(all);
}

}  // namespace

copy_cost measure_copy(kernel& os, kernel& traced_os, recorder& seen, const std::string& engine,
                       std::size_t bytes, unsigned rounds) {
  copy_cost out{.engine = engine, .bytes = bytes};
  traced_engine on(traced_os, engine);
  if (const auto opened = on.open(false, bytes, seen); !opened) {
    out.failure = opened.error().message();
    return out;
  }
  on.make_room(bytes);
  const std::vector<std::byte> message(bytes);
  const clock::duration reading = time_to_read_clocks(os);
  std::vector<clock::duration> own, others;
  for (unsigned round = 0; round < warm_up + rounds; ++round) {
    if (!put_there(os, on, message)) {
      out.failure = "the socket does not take so much at once";
      return out;
    }
    seen.arm(on.fd());
    const both_clocks clocks(os);
    if (!on.receive(bytes)) {
      out.failure = "the exchange failed";
      return out;
    }
    const clock::duration of_others = clocks.of_others() - reading;
    if (round < warm_up) continue;
    recording r;
    seen.take(r);
    own.push_back(r.cpu_completed - r.cpu_started);
    others.push_back(std::max(of_others, clock::duration::zero()));
  }
  out.own = median(own);
  out.others = median(others);
  return out;
}

}  // namespace iolite::trace
