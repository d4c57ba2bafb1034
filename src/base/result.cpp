// The library's error category. See iolite/result.hpp.
#include "iolite/result.hpp"

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

}  // namespace iolite
