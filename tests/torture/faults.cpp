// See faults.hpp.
#include "faults.hpp"

#include "errnos.hpp"
#include "memory.hpp"

#include <algorithm>
#include <cerrno>
#include <random>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr std::uint64_t every_one_up_to = 12;  // of a kind; then samples
constexpr std::uint64_t last_one = 60;

// The first ones, then every seventh.
std::vector<std::uint64_t> chosen(std::uint64_t count, std::uint64_t every_up_to,
                                  std::uint64_t last) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t n = 1; n <= std::min(count, last); n += n < every_up_to ? 1 : 7) {
    out.push_back(n);
  }
  return out;
}

// "From then on", where an error can stay. Signals pass; and a wait that fails for want of memory a
// thousand times in a row, or a ring that cannot be entered any more, stops the program as it says:
// tests/faults/. Two of them in one play, one after the other, stay below that, too.
std::uint64_t how_long(call c, int error) noexcept {
  if (error == EINTR) return c == call::write ? 3 : 5;  // a wake-up is tried eight times
  switch (c) {
  case call::select:
  case call::poll:
  case call::epoll_wait:
  case call::sigtimedwait: return 400;
  case call::io_uring_enter: return error == EBUSY ? 50 : 400;
  case call::io_uring_register: return 200;  // each makes an io_uring_enter(2) fail, too
  case call::fcntl: return 1;  // taking O_ASYNC from an open file again cannot fail, in truth
  case call::accept4: return 500;  // a queue of dead connections comes to an end
  case call::waitpid: return 5;
  default: return fault::for_ever;
  }
}

std::string many(std::uint64_t times) {
  if (times == 1) return "";
  if (times == fault::for_ever) return ", from then on";
  return ", " + std::to_string(times) + " times";
}

play both(const play& a, const play& b) {
  play out = a;
  out.calls.insert(out.calls.end(), b.calls.begin(), b.calls.end());
  out.completions.insert(out.completions.end(), b.completions.begin(), b.completions.end());
  if (b.allocation > 0) out.allocation = b.allocation, out.allocations = b.allocations;
  return out;
}

}  // namespace

std::string describe(const play& p) {
  std::string out;
  const auto next = [&]() -> std::string& { return out.empty() ? out : out += " and "; };
  for (const fault& f : p.calls) {
    next() += std::string(name_of(f.what)) + " number " + std::to_string(f.nth);
    out += f.shorten_to > 0 ? " is cut to " + std::to_string(f.shorten_to)
                            : " fails with errno " + std::to_string(f.error);
    out += many(f.times);
  }
  for (const completion_fault& f : p.completions) {
    next() += "completion " + std::to_string(f.nth) + " of opcode " + std::to_string(f.opcode);
    out += f.shorten_to > 0 ? " is cut to " + std::to_string(f.shorten_to)
                            : " says errno " + std::to_string(f.error);
    out += many(f.times);
  }
  if (p.allocation > 0) {
    next() += "allocation " + std::to_string(p.allocation) + " fails" + many(p.allocations);
  }
  return out;
}

faulty_counts counts_of(const faulty& os) noexcept {
  faulty_counts out;
  for (std::size_t i = 0; i < call_count; ++i) out.calls[i] = os.calls(static_cast<call>(i));
  for (unsigned i = 0; i < out.completions.size(); ++i) out.completions[i] = os.completions(i);
  out.injected = os.injected();
  return out;
}

std::vector<play> failing_calls(const faulty_counts& in) {
  std::vector<play> out;
  for (std::size_t i = 0; i < call_count; ++i) {
    const auto c = static_cast<call>(i);
    for (const std::uint64_t n : chosen(in.calls[i], every_one_up_to, last_one)) {
      for (const int error : errnos_of(c)) {
        out.push_back({.calls = {{.what = c, .nth = n, .error = error}}});
        out.push_back(
            {.calls = {{.what = c, .nth = n, .times = how_long(c, error), .error = error}}});
      }
      if (c == call::recv || c == call::send) {
        out.push_back(
            {.calls = {{.what = c, .nth = n, .times = fault::for_ever, .shorten_to = 1}}});
      }
    }
  }
  return out;
}

std::vector<play> failing_allocations(std::uint64_t in) {
  std::vector<play> out;
  for (std::uint64_t n = 1; n <= in && n <= 400; ++n) {
    out.push_back({.allocation = n});
    out.push_back({.allocation = n, .allocations = memory::for_ever});
  }
  return out;
}

std::vector<play> failing_completions(const faulty_counts& in) {
  std::vector<play> out;
  for (unsigned opcode = 0; opcode < in.completions.size(); ++opcode) {
    for (const std::uint64_t n : chosen(in.completions[opcode], every_one_up_to, last_one)) {
      for (const int error : errnos_of_completion(opcode)) {
        const std::uint64_t stays = error == EINTR || error == EAGAIN ? 5 : fault::for_ever;
        out.push_back({.completions = {{.opcode = opcode, .nth = n, .error = error}}});
        out.push_back(
            {.completions = {{.opcode = opcode, .nth = n, .times = stays, .error = error}}});
      }
      if (can_be_cut(opcode)) {
        out.push_back({.completions = {{.opcode = opcode, .nth = n, .shorten_to = 1}}});
        out.push_back(
            {.completions = {
                 {.opcode = opcode, .nth = n, .times = fault::for_ever, .shorten_to = 1}}});
      }
    }
  }
  return out;
}

std::vector<play> failing_pairs(const faulty_counts& in, std::uint64_t allocations,
                                std::uint64_t seed, std::size_t n) {
  std::vector<play> single = failing_calls(in);
  for (const auto& more : {failing_allocations(allocations), failing_completions(in)}) {
    single.insert(single.end(), more.begin(), more.end());
  }
  std::vector<play> out;
  if (single.empty()) return out;
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < n; ++i) {
    const play& a = single[random() % single.size()];
    const play& b = single[random() % single.size()];
    out.push_back(both(a, b));
  }
  return out;
}

}  // namespace iolite_test
