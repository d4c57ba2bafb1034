// The library's error category, and the end of programs that break its rules.
#include "iolite/result.hpp"
#include "iolite/task.hpp"

#include <cstdio>
#include <cstdlib>

namespace iolite {
namespace {

class category_type final : public std::error_category {
 public:
  const char* name() const noexcept override { return "iolite"; }
  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
    case errc::end_of_stream: return "the peer ended the stream early";
    case errc::closed: return "the channel is closed";
    case errc::truncated: return "the peer ended the stream within a message";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() noexcept {
  static const category_type it;
  return it;
}

void detail::rule_broken(const char* rule) noexcept {
  std::fputs("iolite: rule broken: ", stderr);  // tidy: allow output, the last words
  std::fputs(rule, stderr);  // tidy: allow output, the last words
  std::fputs("\n", stderr);  // tidy: allow output, the last words
  std::abort();
}

}  // namespace iolite
