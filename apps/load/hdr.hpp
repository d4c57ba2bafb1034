// A histogram in the format that the tools of HdrHistogram read.
#pragma once
#include "load/histogram.hpp"

#include <string>

namespace iolite::app {

// A histogram log, version 1.3, with one interval of `seconds` that began at `started` (seconds of
// the Unix epoch): values in nanoseconds, the maximum in milliseconds.
// https://github.com/HdrHistogram/HdrHistogram, HistogramLogWriter.
[[nodiscard]] std::string hdr_log(const histogram& h, double started, double seconds);

}  // namespace iolite::app
