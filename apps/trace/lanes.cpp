#include "trace/lanes.hpp"

#include <algorithm>
#include <cmath>

namespace iolite::app {

namespace {

// Stretches during which a reader has something to see; the others may be cut.
bool is_eventful(stretch s) {
  return s == stretch::waking || s == stretch::copying || s == stretch::both;
}

// Stretches that the median of their ends turned round are left out.
void add(lane& to, double from, double until, stretch what) {
  from = std::max(from, to.end());
  if (until > from) to.parts.push_back({from, until, what});
}

lane own_lane(const trace_row& r) {
  lane l{&r, false, {}};
  const double t2 = r.t2.value_or(0), t4 = r.t4.value_or(t2);
  const stretch waiting = waiting_of(r);
  if (!r.asks_by.empty()) {
    add(l, 0, r.t3.value_or(t4), stretch::asking);
    add(l, 0, t4, stretch::copying);
  } else if (r.one_call) {
    add(l, 0, r.woke.value_or(0), waiting);
    add(l, 0, t4, r.woke ? stretch::both : stretch::unknown);
  } else {
    add(l, 0, r.woke.value_or(t2), r.woke ? waiting : stretch::unknown);
    if (r.copied_by == trace::copier::helper) {
      add(l, 0, r.slept_again.value_or(t2), stretch::waking);
      add(l, 0, r.woke_again.value_or(t4), r.woke_again ? stretch::alone : stretch::unknown);
      add(l, 0, t4, stretch::waking);
    } else {
      add(l, 0, r.t3.value_or(t2), stretch::waking);
      add(l, 0, t4, stretch::copying);
    }
  }
  return l;
}

lane helper_lane(const trace_row& r) {
  lane l{&r, true, {}};
  if (r.helper_woke) {
    add(l, 0, *r.helper_woke, stretch::alone);
    const double t4 = r.t4.value_or(0);
    add(l, 0, std::min(r.helper_done.value_or(t4), t4), stretch::both);
  } else {
    add(l, 0, r.t2.value_or(0), stretch::alone);
    add(l, 0, r.t4.value_or(0), stretch::unknown);
  }
  return l;
}

double round_step(double least) {
  double step = 1;
  for (;;) {
    for (const double by : {1.0, 2.0, 5.0})
      if (step * by >= least) return step * by;
    step *= 10;
  }
}

}  // namespace

stretch waiting_of(const trace_row& r) {
  if (!r.asks_by.empty()) return stretch::asking;
  return r.others_run && *r.others_run == 0 ? stretch::alone : stretch::free;
}

std::vector<lane> lanes_of(const std::vector<trace_row>& rows) {
  std::vector<lane> out;
  for (const trace_row& r : rows) {
    if (r.rounds == 0) continue;
    out.push_back(own_lane(r));
    if (r.copied_by == trace::copier::helper) out.push_back(helper_lane(r));
  }
  return out;
}

time_axis::time_axis(const std::vector<lane>& lanes, double width, double cut_width)
    : cut_width_(cut_width) {
  constexpr double margin = 1.5, least_cut = 12;
  std::vector<std::pair<double, double>> shown = {{0, 3}};
  for (const lane& l : lanes)
    for (const part& p : l.parts) {
      if (is_eventful(p.what)) shown.emplace_back(p.from - margin, p.to + margin);
      else if (p.what == stretch::unknown) shown.emplace_back(p.to - margin, p.to + margin);
    }
  std::ranges::sort(shown);
  double length = 0;
  for (auto [from, to] : shown) {
    from = std::max(from, 0.0);
    if (!pieces_.empty() && from - pieces_.back().to < least_cut)
      pieces_.back().to = std::max(pieces_.back().to, to);
    else pieces_.push_back({from, to, 0});
  }
  for (const piece& p : pieces_) length += p.to - p.from;
  const double room = width - cut_width * static_cast<double>(pieces_.size() - 1);
  per_us_ = room / length;
  double at = 0;
  for (piece& p : pieces_) {
    p.at = at;
    at += (p.to - p.from) * per_us_ + cut_width;
  }
}

double time_axis::operator()(double us) const {
  for (const piece& p : pieces_) {
    if (us < p.from) return std::max(0.0, p.at - cut_width_ / 2);
    if (us <= p.to) return p.at + (us - p.from) * per_us_;
  }
  return pieces_.back().at + (pieces_.back().to - pieces_.back().from) * per_us_;
}

std::vector<double> time_axis::cuts() const {
  std::vector<double> out;
  for (std::size_t i = 1; i < pieces_.size(); ++i) out.push_back(pieces_[i].at - cut_width_);
  return out;
}

std::vector<double> time_axis::ticks(double apart) const {
  const double step = round_step(std::max(apart / per_us_, 1.0));
  std::vector<double> out;
  for (const piece& p : pieces_) {
    const auto last = static_cast<long>(std::floor(p.to / step));
    for (auto i = static_cast<long>(std::ceil(p.from / step)); i <= last; ++i)
      out.push_back(static_cast<double>(i) * step);
  }
  return out;
}

}  // namespace iolite::app
