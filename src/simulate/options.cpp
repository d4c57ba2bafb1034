// See options.hpp.
#include "simulate/options.hpp"

#include <algorithm>
#include <cmath>

namespace iolite::simulate {

using simulated::fault_kind;

simulated::fault_rates rates_of(const faults& f) {
  simulated::fault_rates out;
  const auto set = [&](fault_kind k, double probability) {
    const double millions = std::clamp(probability, 0.0, 1.0) * 1e6;
    out.in_a_million[static_cast<std::size_t>(k)] =
        static_cast<std::uint32_t>(std::lround(millions));
  };
  set(fault_kind::short_receive, f.short_receive);
  set(fault_kind::short_send, f.short_send);
  set(fault_kind::again, f.again);
  set(fault_kind::spurious, f.spurious);
  set(fault_kind::interrupt, f.interrupt);
  set(fault_kind::abort_accept, f.abort_accept);
  set(fault_kind::reset, f.reset);
  set(fault_kind::split, f.split);
  set(fault_kind::delay, f.delay);
  set(fault_kind::stall, f.stall);
  set(fault_kind::short_file, f.short_file);
  set(fault_kind::disk_error, f.disk_error);
  set(fault_kind::no_memory, f.no_memory);
  set(fault_kind::short_submission, f.no_memory);
  set(fault_kind::signal_overflow, f.signal_overflow);
  set(fault_kind::loss, f.loss);
  set(fault_kind::duplicate, f.duplicate);
  set(fault_kind::reorder, f.reorder);
  out.delay_max = f.delay_max;
  out.stall_max = f.stall_max;
  return out;
}

simulated::link link_of(const link& l) noexcept {
  return {l.latency_min, l.latency_max, l.bytes_per_second};
}

faults faults::some() noexcept {
  return {.short_receive = 0.1,
          .short_send = 0.1,
          .again = 0.05,
          .spurious = 0.02,
          .interrupt = 0.05,
          .abort_accept = 0.05,
          .split = 0.3,
          .delay = 0.02,
          .stall = 0.01,
          .short_file = 0.2,
          .signal_overflow = 0.02,
          .loss = 0.05,
          .duplicate = 0.05,
          .reorder = 0.05};
}

void apply(const options& o, simulated::machine& to) {
  to.faults = rates_of(o.faults);
  to.net.set_default(link_of(o.network));
  to.net.ports_first = o.ports_first;
  to.net.ports_last = std::max(o.ports_first, o.ports_last);
  to.rings = {o.rings.available,           o.rings.defer_taskrun, o.rings.buffer_rings,
              o.rings.incremental_buffers, o.rings.coop_taskrun,  o.rings.ext_arg,
              o.rings.entries_max};
  to.net.send_buffer = o.send_buffer;
  to.net.receive_buffer = o.receive_buffer;
  to.trace.keep(o.trace_lines);
  if (o.only) to.draws.allow_only(*o.only);
  to.faults_until = deadline_after(to.time.start, o.faults_for);
}

}  // namespace iolite::simulate
