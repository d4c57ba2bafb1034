// The frame decoder by itself: lengths of every size, and their limits.
#include "iolite/codec/frame_decoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

void feed(frame_decoder& d, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto room = d.room();
    const std::size_t n = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), n, room.begin());
    d.wrote(n);
    bytes = bytes.subspan(n);
  }
}

std::vector<std::byte> bytes_with_length(unsigned length_bytes, std::uint64_t length) {
  std::vector<std::byte> out;
  for (unsigned i = length_bytes; i-- > 0;) out.push_back(static_cast<std::byte>(length >> 8 * i));
  return out;
}

TEST(frame_decoder, takes_lengths_of_each_size) {
  for (const unsigned n : {1U, 2U, 4U, 8U}) {
    const frame_format format{.length_bytes = n, .max = 255};
    std::vector<std::byte> message(200, std::byte{7});
    std::vector<std::byte> bytes;
    ASSERT_TRUE(append_frame(bytes, message, format));
    EXPECT_EQ(bytes.size(), n + 200);
    EXPECT_EQ(bytes[n - 1], std::byte{200}) << "most significant byte first";
    frame_decoder d(format);
    feed(d, bytes);
    const auto got = d.next();
    ASSERT_TRUE(got && *got);
    EXPECT_TRUE(std::ranges::equal(**got, message));
    EXPECT_FALSE(d.in_the_middle());
  }
}

TEST(frame_decoder, refuses_every_length_above_the_limit) {
  for (const std::uint64_t length :
       {std::uint64_t{101}, std::uint64_t{1} << 31, (std::uint64_t{1} << 32) - 1,
        std::uint64_t{1} << 32, (std::uint64_t{1} << 63) - 1, std::uint64_t{1} << 63,
        ~std::uint64_t{0} - 7, ~std::uint64_t{0}}) {
    frame_decoder d({.length_bytes = 8, .max = 100});
    feed(d, bytes_with_length(8, length));
    const auto got = d.next();
    ASSERT_FALSE(got) << length;
    EXPECT_EQ(got.error(), std::errc::message_size);
  }
  frame_decoder d({.length_bytes = 8, .max = 100});
  feed(d, bytes_with_length(8, 100));
  EXPECT_TRUE(d.next()) << "the limit itself is allowed";
}

TEST(frame_decoder, refuses_to_send_what_the_length_cannot_say) {
  std::vector<std::byte> out;
  const std::vector<std::byte> message(256);
  const auto sent = append_frame(out, message, {.length_bytes = 1, .max = 1000});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error(), std::errc::message_size);
  EXPECT_TRUE(out.empty());
}

TEST(frame_decoder, a_length_of_another_size_is_a_mistake) {
  for (const unsigned n : {0U, 3U, 5U, 9U})
    EXPECT_THROW(frame_decoder({.length_bytes = n}), std::invalid_argument);
}

TEST(frame_decoder, memory_is_bounded_by_the_messages_and_not_by_the_stream) {
  frame_decoder d({.length_bytes = 4, .max = 1000});
  std::vector<std::byte> bytes;
  ASSERT_TRUE(append_frame(bytes, std::vector<std::byte>(1000), {}));
  std::size_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    feed(d, bytes);
    most = std::max(most, d.room().size());
    const auto got = d.next();
    ASSERT_TRUE(got && *got);
  }
  EXPECT_LE(most, 8192U);
}

TEST(frame_decoder, a_length_alone_takes_no_memory_for_its_message) {
  frame_decoder d({.length_bytes = 4, .max = 1 << 30});
  feed(d, bytes_with_length(4, 1 << 30));
  ASSERT_TRUE(d.next());
  EXPECT_LE(d.room().size(), 4096U);
}

TEST(frame_decoder, memory_grows_with_what_has_arrived) {
  const std::vector<std::byte> part(100, std::byte{1});
  frame_decoder d({.length_bytes = 8, .max = frame_format::largest_max});
  feed(d, bytes_with_length(8, std::uint64_t{1} << 40));
  for (std::size_t arrived = 8; arrived < 1'000'000; arrived += part.size()) {
    ASSERT_TRUE(d.next());
    ASSERT_LE(d.room().size() + arrived, std::max<std::size_t>(4096, 2 * arrived));
    feed(d, part);
  }
}

TEST(frame_decoder, a_limit_whose_sums_would_wrap_around_is_a_mistake) {
  for (const std::size_t max : {SIZE_MAX, SIZE_MAX - 7, frame_format::largest_max + 1}) {
    EXPECT_THROW(frame_decoder({.length_bytes = 8, .max = max}), std::invalid_argument);
  }
}

TEST(frame_decoder, what_has_no_format_is_not_sent) {
  std::vector<std::byte> out;
  for (const unsigned n : {0U, 3U, 5U, 9U, 64U}) {
    const auto added = append_frame(out, out, {.length_bytes = n});
    EXPECT_EQ(added ? std::error_code() : added.error(), std::errc::invalid_argument);
    EXPECT_FALSE(framed("text", {.length_bytes = n}));
  }
  EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace iolite_test
