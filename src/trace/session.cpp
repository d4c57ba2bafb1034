// See iolite/trace.hpp. Rounds go over all engines in rotating order, so that none always follows
// the same other one; each engine runs alone, on one thread.
#include "iolite/trace.hpp"

#include "trace/copies.hpp"
#include "trace/peer.hpp"
#include "trace/phases.hpp"
#include "trace/place.hpp"
#include "trace/subjects.hpp"
#include "trace/switches.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <system_error>

namespace iolite::trace {

using namespace std::chrono_literals;

namespace {

// When a readiness engine looks after those that wait: second_looks.hpp, docs/semantics.md.
constexpr clock::duration between_looks = 10ms;

// See options::delay.
clock::duration out_of_the_way(clock::duration delay) noexcept {
  const clock::duration beyond = delay % between_looks;
  const bool close = delay > 9ms && (beyond < 1ms || beyond > between_looks - 1ms);
  return close && delay < 6 * between_looks ? delay + 2ms : delay;
}

// So long after its start a round is over for whoever looks after it.
clock::duration rest_after(clock::duration delay) noexcept {
  return between_looks - delay % between_looks + 700us;
}

std::string why_no_switches(int error) {
  const std::string remedy = error == EACCES || error == EPERM
                                 ? "sysctl -w kernel.perf_event_paranoid=2; in a container also "
                                   "--security-opt seccomp=unconfined"
                                 : "it needs perf_event_open(2)";
  return "when a thread woke up is not visible (perf events: " +
         std::system_category().message(error) + "): " + remedy;
}

}  // namespace

struct session::state {
  state(const options& o, kernel& below)
      : wanted(o), os(below), place(os), switches(os), seen(os), traced_os(os, seen),
        thread(os.gettid()), other_side(os, seen, thread, place.of_peer()) {
    wanted.bytes = std::clamp<std::size_t>(o.bytes, 1, bytes_max);
    wanted.delay = out_of_the_way(std::max(o.delay, clock::duration(100us)));
    if (switches.error() != 0) missing.push_back(why_no_switches(switches.error()));
    if (!place.is_pinned())
      missing.emplace_back(
          "both sides share one processor: the peer delays whoever it wakes; give it two");
  }

  bool stopped() const { return wanted.stop && wanted.stop->load(); }

  // One round. The error says why there are no figures.
  std::expected<exchange, std::string> round(traced_engine& on) {
    recording r = begin_round(on, wanted.delay);
    const bool received = on.receive_and_answer(wanted.bytes, rest_after(wanted.delay));
    const bool sent = end_round(r);
    if (!received || !sent) return std::unexpected("the exchange failed");
    if (auto x = phases_of(r)) {
      const clock::duration late = r.sent_after - r.started - wanted.delay;
      x->disturbed = late + r.queued.value_or(clock::duration::zero()) > 500us;
      return *std::move(x);
    }
    return std::unexpected("no call was seen that brought the data");
  }

  recording begin_round(const traced_engine& on, clock::duration delay) {
    recording r;
    r.thread = thread;
    r.sees_switches = switches.error() == 0;
    events.clear();
    switches.read(events);
    events.clear();
    seen.arm(on.fd());
    other_side.send_after(on.peer_fd(), wanted.bytes, delay);
    return r;
  }

  bool end_round(recording& r) {
    const bool good = other_side.finish(r) && seen.has_ended();
    seen.take(r);
    if (!switches.read(events)) r.sees_switches = false;
    r.switches = events;
    return good;
  }

  // Ten timers of a millisecond, or of a tenth of the delay; the data comes after the last of them.
  std::optional<unsigned> count_others(traced_engine& on, unsigned due) {
    traced_engine::timers t{due, std::max<clock::duration>(1ms, wanted.delay / due), {}};
    recording r = begin_round(on, t.apart * (due + 2));
    const bool received = on.receive_beside(t, wanted.bytes);
    if (!end_round(r) || !received) return std::nullopt;
    const auto ran =
        std::ranges::count_if(t.ran, [&](clock::time_point when) { return when < r.sent_before; });
    return static_cast<unsigned>(ran);
  }

  options wanted;
  kernel& os;
  placement_of_threads place;
  switch_log switches;  // before there are other threads
  recorder seen;
  traced traced_os;
  const int thread;
  peer other_side;
  std::deque<traced_engine> engines;
  std::vector<switch_event> events;
  std::vector<std::string> missing;
};

session::session(const options& o) : session(o, kernel::real()) {}
session::session(const options& o, kernel& os) : state_(std::make_unique<state>(o, os)) {}
session::~session() = default;

result<void> session::add(std::string_view engine) {
  auto& added = state_->engines.emplace_back(state_->traced_os, std::string(engine));
  auto opened = added.open(state_->wanted.over_unix, state_->wanted.bytes, state_->seen);
  if (!opened) state_->engines.pop_back();
  return opened;
}

std::vector<subject> session::measure(const std::function<void(double)>& progress) {
  state& s = *state_;
  std::vector<subject> out;
  out.reserve(s.engines.size());
  for (const traced_engine& e : s.engines) out.push_back({.engine = e.name()});
  const std::size_t n = out.size();
  const std::size_t rounds = warm_up + s.wanted.rounds;
  for (std::size_t step = 0; step < rounds * n && !s.stopped(); ++step) {
    const std::size_t round = step / n, at = (step + round) % n;
    if (!out[at].failure.empty()) continue;
    auto x = s.round(s.engines[at]);
    if (!x) out[at].failure = x.error();
    else if (round >= warm_up) out[at].rounds.push_back(*std::move(x));
    if (progress) progress(static_cast<double>(step + 1) / static_cast<double>(rounds * n));
  }
  for (std::size_t i = 0; i < n && !s.stopped(); ++i)
    if (out[i].failure.empty()) out[i].others_run = s.count_others(s.engines[i], out[i].others_due);
  return out;
}

std::vector<copy_cost> session::copy_costs(const std::vector<std::size_t>& sizes, unsigned rounds) {
  state& s = *state_;
  std::vector<copy_cost> out;
  for (const std::size_t bytes : sizes) {
    // The first to have messages of a size pays for memory that the others find warm: none of those
    // that are shown is.
    if (!s.engines.empty())
      static_cast<void>(
          measure_copy(s.os, s.traced_os, s.seen, s.engines.front().name(), bytes, rounds));
    for (const traced_engine& with : s.engines) {
      if (s.stopped()) return out;
      out.push_back(measure_copy(s.os, s.traced_os, s.seen, with.name(), bytes, rounds));
    }
  }
  return out;
}

bool session::sees_switches() const noexcept { return state_->switches.error() == 0; }
bool session::is_exact() const noexcept { return state_->switches.has_tracepoints(); }
bool session::is_pinned() const noexcept { return state_->place.is_pinned(); }
clock::duration session::delay() const noexcept { return state_->wanted.delay; }
const std::vector<std::string>& session::missing() const noexcept { return state_->missing; }

}  // namespace iolite::trace
