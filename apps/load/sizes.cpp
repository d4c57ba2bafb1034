#include "load/sizes.hpp"

#include "terminal/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace iolite::app {

namespace {

constexpr std::size_t parts_max = 64;
constexpr double weight_max = 1e9;

parsed<double> parse_weight(std::string_view text) {
  double w = 0;
  const auto [stop, error] =
      std::from_chars(text.data(), text.data() + text.size(), w, std::chars_format::fixed);
  if (error == std::errc() && stop == text.data() + text.size() && w > 0 && w <= weight_max)
    return w;
  return std::unexpected(fmt::format("'{}' is not a weight; write it like 90 or 0.5", text));
}

parsed<std::size_t> parse_length(std::string_view text) {
  const auto bytes = parse_size(text);
  if (!bytes || *bytes > 0) return bytes;
  return std::unexpected(fmt::format("'{}' is too small: at least 1", text));
}

// LEAST[..MOST][:WEIGHT]
parsed<message_sizes::part> parse_part(std::string_view text) {
  message_sizes::part p;
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const auto weight = parse_weight(text.substr(colon + 1));
    if (!weight) return std::unexpected(weight.error());
    p.weight = *weight;
  }
  const std::string_view range = text.substr(0, colon);
  const std::size_t dots = range.find("..");
  const auto least = parse_length(range.substr(0, dots));
  if (!least) return std::unexpected(least.error());
  const auto most = dots == std::string_view::npos ? least : parse_length(range.substr(dots + 2));
  if (!most) return std::unexpected(most.error());
  if (*most < *least)
    return std::unexpected(fmt::format("'{}': the smaller size comes first", text));
  p.least = *least;
  p.most = *most;
  return p;
}

std::string text_of(const message_sizes::part& p, bool alone) {
  std::string text = size_text(p.least);
  if (p.most != p.least) text += ".." + size_text(p.most);
  if (!alone) text += fmt::format(":{}", p.weight);
  return text;
}

}  // namespace

message_sizes::message_sizes(std::vector<part> parts) : parts_(std::move(parts)) {
  for (const part& p : parts_) {
    weights_ += p.weight;
    longest_ = std::max(longest_, p.most);
  }
}

parsed<message_sizes> message_sizes::parse(std::string_view text) {
  std::vector<part> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const auto p = parse_part(text.substr(begin, end - begin));
    if (!p) return std::unexpected(p.error());
    parts.push_back(*p);
    if (parts.size() > parts_max)
      return std::unexpected(fmt::format("more than {} sizes", parts_max));
    begin = end + 1;
  }
  return message_sizes(std::move(parts));
}

std::size_t message_sizes::draw(random_source& chance) const noexcept {
  const part* p = parts_.data();
  if (parts_.size() > 1) {
    double at = chance.unit() * weights_;
    for (; p != &parts_.back() && at >= p->weight; ++p) at -= p->weight;
  }
  return p->least == p->most ? p->least : p->least + chance.below(p->most - p->least + 1);
}

double message_sizes::mean() const noexcept {
  double sum = 0;
  for (const part& p : parts_)
    sum += p.weight * (static_cast<double>(p.least) + static_cast<double>(p.most)) / 2;
  return sum / weights_;
}

std::string message_sizes::text() const {
  std::string out;
  for (const part& p : parts_) out += (out.empty() ? "" : ",") + text_of(p, parts_.size() == 1);
  return out;
}

}  // namespace iolite::app
