#include "trace/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace iolite::app {

namespace {

using trace::copier;
using trace::exchange;

double in_us(clock::duration t) { return std::chrono::duration<double, std::micro>(t).count(); }

double quantile(std::vector<double>& values, double q) {
  std::ranges::sort(values);
  const auto at = static_cast<std::size_t>(std::lround(q * static_cast<double>(values.size() - 1)));
  return values[at];
}

// Of what most rounds have; of less nothing is said.
template <class Of>
std::optional<double> quantile(const std::vector<exchange>& rounds, Of of, double q = 0.5) {
  std::vector<double> found;
  for (const exchange& x : rounds)
    if (const std::optional<double> v = of(x)) found.push_back(*v);
  if (found.empty() || found.size() * 2 < rounds.size()) return std::nullopt;
  return quantile(found, q);
}

auto time_at(clock::duration exchange::* which) {
  return [which](const exchange& x) { return std::optional(in_us(x.*which)); };
}

auto time_at(std::optional<clock::duration> exchange::* which) {
  return [which](const exchange& x) {
    return x.*which ? std::optional(in_us(*(x.*which))) : std::nullopt;
  };
}

auto number_at(std::uint64_t exchange::* which) {
  return [which](const exchange& x) { return std::optional(static_cast<double>(x.*which)); };
}

template <class Of>
std::string usual(const std::vector<exchange>& rounds, Of of) {
  std::vector<std::string> all;
  all.reserve(rounds.size());
  for (const exchange& x : rounds) all.emplace_back(of(x));
  std::ranges::sort(all);
  return all.empty() ? std::string() : all[all.size() / 2];
}

bool mostly(const std::vector<exchange>& rounds, bool exchange::* what) {
  const auto n = std::ranges::count_if(rounds, [what](const exchange& x) { return x.*what; });
  return 2 * n > std::ssize(rounds);
}

// The pause of the thread after it has learnt of the data: a helper is at work.
const trace::rest* later_rest(const exchange& x) {
  const auto it = std::ranges::find_if(x.rests, [&](const trace::rest& r) {
    return r.of == trace::rest::whose::own && !r.preempted && r.begin > x.t2;
  });
  return it == x.rests.end() ? nullptr : &*it;
}

// It burnt processor time for most of phase 1, or made calls without end: by what, the one says
// that brought the data.
std::string asked_by(const trace_row& r, const std::vector<exchange>& rounds) {
  constexpr double many_calls = 100;
  const bool burnt = r.cpu_phase1.value_or(0) >= r.waited / 2;
  if (!burnt && r.calls_phase1.value_or(0) < many_calls) return {};
  return usual(rounds, [](const exchange& x) {
    const auto it = std::find_if(x.calls.rbegin(), x.calls.rend(),
                                 [](const trace::made_call& c) { return c.result > 0; });
    return it == x.calls.rend() ? std::string_view() : it->name;
  });
}

// Without those that other processes have disturbed, as long as enough are left.
std::vector<exchange> rounds_that_count(const trace::subject& s, trace_row& r) {
  std::vector<exchange> good;
  std::ranges::copy_if(s.rounds, std::back_inserter(good),
                       [](const exchange& x) { return !x.disturbed; });
  r.disturbed = s.rounds.size() - good.size();
  r.only_undisturbed = good.size() >= 3 && good.size() * 5 >= s.rounds.size();
  return r.only_undisturbed ? good : s.rounds;
}

std::string meanwhile(const trace_row& r) {
  if (!r.others_run) return {};
  return fmt::format("; {} of {} other tasks ran meanwhile", *r.others_run, r.others_due);
}

std::string count_text(double n) {
  std::string digits = fmt::format("{:.0f}", n);
  for (auto at = std::ssize(digits) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string waiting_words(const trace_row& r) {
  if (!r.asks_by.empty())
    return fmt::format("asked {} times in vain, which took {} of processor time",
                       count_text(r.calls_phase1.value_or(0)), time_text(r.cpu_phase1.value_or(0)));
  if (r.asleep_in.empty()) return "waited, where was not visible";
  if (!r.woke) return fmt::format("slept in {}", r.asleep_in);
  return fmt::format("slept in {}, woke after {}", r.asleep_in, time_text(*r.woke));
}

std::string copying_words(const trace_row& r) {
  const std::string done = time_text(r.t4.value_or(0));
  if (r.copied_by == copier::helper)
    return fmt::format(", left the copy to a helper thread and had the data after {}", done);
  if (r.copied_by == copier::kernel)
    return fmt::format(", and the kernel had copied the data when that call returned after {}",
                       done);
  if (!r.t3) return fmt::format(", copied the data itself in that call and had it after {}", done);
  const std::string took = time_text(*r.t4 - *r.t3);
  if (r.one_call) return fmt::format(", copied the data itself in that call, within {}", took);
  return fmt::format(", copied the data itself in {}", took);
}

}  // namespace

std::string time_text(double us, std::string_view micro) {
  if (std::abs(us) >= 999.5) return fmt::format("{:.1f} ms", us / 1000);
  return fmt::format("{:.0f} {}", us, micro);
}

trace_row row_of(const trace::subject& s) {
  trace_row r;
  r.model = s.engine;
  r.reason = s.failure;
  r.rounds = s.rounds.size();
  r.others_run = s.others_run;
  r.others_due = s.others_due;
  if (s.rounds.empty()) return r;
  const std::vector<exchange> all = rounds_that_count(s, r);
  r.waited = quantile(all, time_at(&exchange::waited)).value_or(0);
  r.uncertainty = quantile(all, time_at(&exchange::uncertainty)).value_or(0);
  r.woke = quantile(all, time_at(&exchange::woke));
  r.t2 = quantile(all, time_at(&exchange::t2));
  r.t3 = quantile(all, time_at(&exchange::t3));
  r.t4 = quantile(all, time_at(&exchange::t4));
  r.t4_p10 = quantile(all, time_at(&exchange::t4), 0.1);
  r.t4_p90 = quantile(all, time_at(&exchange::t4), 0.9);
  r.helper_woke = quantile(all, time_at(&exchange::helper_woke));
  r.helper_done = quantile(all, time_at(&exchange::helper_done));
  r.cpu_phase1 = quantile(all, time_at(&exchange::cpu_phase1));
  r.calls_phase1 = quantile(all, number_at(&exchange::calls_phase1));
  r.calls_phase2 = quantile(all, number_at(&exchange::calls_phase2));
  r.one_call = mostly(all, &exchange::one_call);
  r.copied_by = all.front().copied_by;
  if (mostly(all, &exchange::slept))
    r.asleep_in = usual(all, [](const exchange& x) { return x.asleep_in; });
  else r.asks_by = asked_by(r, all);
  if (r.copied_by == copier::helper) {
    const auto from = [](const exchange& x) {
      const auto* rest = later_rest(x);
      return rest ? std::optional(in_us(rest->begin)) : std::nullopt;
    };
    const auto to = [](const exchange& x) {
      const auto* rest = later_rest(x);
      return rest ? std::optional(in_us(rest->end)) : std::nullopt;
    };
    r.slept_again = quantile(all, from);
    r.woke_again = quantile(all, to);
  }
  std::vector<const exchange*> by_end;
  by_end.reserve(all.size());
  for (const exchange& x : all) by_end.push_back(&x);
  std::ranges::sort(by_end, {}, [](const exchange* x) { return x->t4; });
  r.typical = *by_end[by_end.size() / 2];
  return r;
}

std::string sentence_of(const trace_row& r) {
  if (!r.available) return fmt::format("{}: not available: {}", r.model, r.reason);
  if (r.rounds == 0) return fmt::format("{}: nothing was measured: {}", r.model, r.reason);
  std::string text =
      fmt::format("{}: {}{}{}", r.model, waiting_words(r), copying_words(r), meanwhile(r));
  if (!r.reason.empty())
    text += fmt::format("; it stopped after {} rounds: {}", r.rounds, r.reason);
  return text;
}

}  // namespace iolite::app
