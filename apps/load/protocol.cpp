#include "load/protocol.hpp"

#include "http/http_answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

namespace iolite::app {

namespace {

std::string mismatch(std::span<const std::byte> got, std::span<const std::byte> due,
                     std::uint64_t before) {
  const auto at = std::ranges::mismatch(got, due).in1 - got.begin();
  return fmt::format("byte {} of an answer is wrong: does this server echo?",
                     before + static_cast<std::uint64_t>(at));
}

// Answers of known lengths, one after the other.
class lengths_due {
 public:
  void set(std::span<const std::size_t> lengths) {
    due_.assign(lengths.begin(), lengths.end());
    first_ = 0;
  }
  [[nodiscard]] std::size_t answers_left() const noexcept { return due_.size() - first_; }
  // How many of them `bytes` more complete.
  unsigned take(std::size_t bytes) noexcept {
    unsigned complete = 0;
    while (first_ < due_.size() && bytes >= due_[first_]) {
      bytes -= due_[first_++];
      ++complete;
    }
    if (first_ < due_.size()) due_[first_] -= bytes;
    return complete;
  }

 private:
  std::vector<std::size_t> due_;
  std::size_t first_ = 0;
};

class echo_conversation final : public conversation {
 public:
  echo_conversation(const pattern& text, unsigned index)
      : text_(text), next_(std::uint64_t{index} * 7919) {}

  std::span<const std::byte> ask(std::span<const std::size_t> sizes) override {
    due_.set(sizes);
    begun_ = next_;
    const std::size_t bytes = std::reduce(sizes.begin(), sizes.end());
    due_bytes_ = bytes;
    return text_.at(next_, bytes);
  }
  std::expected<progress, std::string> take(std::span<const std::byte> arrived) override {
    if (arrived.size() > due_bytes_) return std::unexpected("the server sends more than it got");
    const auto due = text_.at(next_, arrived.size());
    if (std::memcmp(arrived.data(), due.data(), due.size()) != 0)
      return std::unexpected(mismatch(arrived, due, next_ - begun_));
    next_ += arrived.size();
    due_bytes_ -= arrived.size();
    return progress{.answers = due_.take(arrived.size()), .why = {}};
  }

 private:
  const pattern& text_;
  std::uint64_t next_;  // where in the text the stream is
  std::uint64_t begun_ = 0;
  std::size_t due_bytes_ = 0;
  lengths_due due_;
};

// Requests of any size, each answered by the beginning of the pattern.
class known_answer final : public conversation {
 public:
  known_answer(const pattern& text, std::size_t answer_bytes) : text_(text), each_(answer_bytes) {}

  std::span<const std::byte> ask(std::span<const std::size_t> sizes) override {
    left_ = each_ * sizes.size();
    return text_.at(0, std::reduce(sizes.begin(), sizes.end()));
  }
  std::expected<progress, std::string> take(std::span<const std::byte> arrived) override {
    progress p;
    if (arrived.size() > left_) return std::unexpected("an answer is too long");
    while (!arrived.empty()) {
      const auto piece = arrived.first(std::min(arrived.size(), each_ - got_));
      const auto due = text_.at(got_, piece.size());
      if (std::memcmp(piece.data(), due.data(), due.size()) != 0)
        return std::unexpected(mismatch(piece, due, got_));
      left_ -= piece.size();
      got_ += piece.size();
      if (got_ == each_) {
        got_ = 0;
        ++p.answers;
      }
      arrived = arrived.subspan(piece.size());
    }
    return p;
  }
  void begin_anew() override { got_ = left_ = 0; }

 private:
  const pattern& text_;
  std::size_t each_;
  std::size_t left_ = 0;
  std::size_t got_ = 0;  // of the answer under way
};

class line_conversation final : public conversation {
 public:
  std::span<const std::byte> ask(std::span<const std::size_t> sizes) override {
    due_ = sizes.size();
    if (!std::ranges::equal(sizes, sizes_)) {
      sizes_.assign(sizes.begin(), sizes.end());
      text_.clear();
      for (const std::size_t n : sizes) append_line(n);
    }
    return std::as_bytes(std::span(text_));
  }
  std::expected<progress, std::string> take(std::span<const std::byte> arrived) override {
    const auto lines = static_cast<std::size_t>(std::ranges::count(arrived, std::byte{'\n'}));
    if (lines > due_)
      return std::unexpected("the server sends more lines than it was sent: "
                             "does it answer each line by one line?");
    due_ -= lines;
    return progress{.answers = static_cast<unsigned>(lines), .why = {}};
  }

 private:
  // With its newline so many bytes.
  void append_line(std::size_t bytes) {
    for (std::size_t i = 1; i < bytes; ++i) text_ += static_cast<char>('a' + i % 26);
    text_ += '\n';
  }

  std::vector<std::size_t> sizes_;
  std::string text_;
  std::size_t due_ = 0;
};

class http_conversation final : public conversation {
 public:
  explicit http_conversation(const request_options& o) : options_(o) {}

  std::span<const std::byte> ask(std::span<const std::size_t> sizes) override {
    answers_.expect(sizes.size());
    if (!std::ranges::equal(sizes, sizes_)) {
      sizes_.assign(sizes.begin(), sizes.end());
      text_.clear();
      for (const std::size_t n : sizes) append_request(n);
    }
    return std::as_bytes(std::span(text_));
  }
  std::expected<progress, std::string> take(std::span<const std::byte> arrived) override {
    return answers_.take(arrived);
  }
  bool end() override { return answers_.end(); }
  bool over() const noexcept override { return answers_.closing(); }
  void begin_anew() override { answers_ = http_answers(); }

 private:
  void append_request(std::size_t bytes) {
    text_ += fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", options_.body ? "POST" : "GET",
                         options_.path, options_.host);
    if (options_.body) text_ += fmt::format("Content-Length: {}\r\n", bytes);
    text_ += "\r\n";
    if (options_.body) text_.append(bytes, 'x');
  }

  const request_options& options_;
  std::vector<std::size_t> sizes_;
  std::string text_;
  http_answers answers_;
};

}  // namespace

std::unique_ptr<conversation> make_conversation(const request_options& options, const pattern& text,
                                                unsigned index) {
  switch (options.kind) {
  case protocol::lines: return std::make_unique<line_conversation>();
  case protocol::http: return std::make_unique<http_conversation>(options);
  case protocol::echo: break;
  }
  if (options.answer_bytes > 0) return std::make_unique<known_answer>(text, options.answer_bytes);
  return std::make_unique<echo_conversation>(text, index);
}

std::expected<protocol, std::string> parse_protocol(std::string_view name) {
  if (name == "echo") return protocol::echo;
  if (name == "lines") return protocol::lines;
  if (name == "http") return protocol::http;
  return std::unexpected(fmt::format("there is no protocol '{}': take echo, lines or http", name));
}

}  // namespace iolite::app
