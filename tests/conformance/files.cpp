// Regular files: who reads and writes them differs between engines, what comes of it does not.
#include "support/files.hpp"
#include "kernel/faulty.hpp"
#include "support/engine_test.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(engine, a_file_is_read_as_it_was_written) {
  struct body {
    static task<> check(std::string path, std::string text) {
      file out = co_await open_or_throw(path, file_mode::create);
      EXPECT_EQ((co_await out.write_at(0, bytes_of(text))).value_or(0), text.size());
      EXPECT_TRUE(co_await out.sync());
      out.close();
      const file in = co_await open_or_throw(path, file_mode::read);
      EXPECT_EQ(in.size().value_or(0), text.size());
      std::string got(text.size() + 10, '\0');
      const auto n = co_await in.read_at(0, bytes_of(got));
      EXPECT_EQ(n.value_or(0), text.size()) << "fewer only at the end";
      got.resize(text.size());
      EXPECT_TRUE(got == text);
    }
  };
  const temporary_file here;
  run(body::check(here.path(), pattern(1'000'000)));
}

TEST_P(engine, a_file_is_read_and_written_at_any_place) {
  struct body {
    static task<> check(std::string path) {
      const file f = co_await open_or_throw(path, file_mode::update);
      std::string end = "end";
      EXPECT_TRUE(co_await f.write_at(10'000, bytes_of(end)));
      EXPECT_EQ(f.size().value_or(0), 10'003U);
      std::string got(5, 'x');
      EXPECT_EQ((co_await f.read_at(9'998, bytes_of(got))).value_or(0), 5U);
      EXPECT_EQ(got, std::string("\0\0end", 5)) << "what was never written is zero";
      EXPECT_EQ((co_await f.read_at(10'002, bytes_of(got))).value_or(0), 1U);
      EXPECT_EQ((co_await f.read_at(20'000, bytes_of(got))).value_or(99), 0U) << "beyond the end";
      EXPECT_EQ((co_await f.read_at(0, {})).value_or(99), 0U);
    }
  };
  const temporary_file here;
  run(body::check(here.path()));
}

// read_at(size - 1) of an empty file must not mean "where it stands", as -1 does for io_uring.
TEST_P(engine, a_place_that_no_file_has_is_refused) {
  struct body {
    static task<std::error_code> read(const file& f, std::uint64_t at, std::size_t bytes) {
      std::string into(bytes, '\0');
      const auto n = co_await f.read_at(at, bytes_of(into));
      co_return n ? std::error_code() : n.error();
    }
    static task<std::error_code> write(const file& f, std::uint64_t at) {
      std::string text = "xyz";
      const auto n = co_await f.write_at(at, bytes_of(text));
      co_return n ? std::error_code() : n.error();
    }
    static task<> check(std::string path) {
      const file f = co_await open_or_throw(path, file_mode::update);
      for (const std::uint64_t at : {offset_max + 1, ~std::uint64_t{0}, ~std::uint64_t{0} - 1}) {
        EXPECT_EQ(co_await read(f, at, 3), std::errc::invalid_argument) << at;
        EXPECT_EQ(co_await read(f, at, 0), std::errc::invalid_argument) << at;
        EXPECT_EQ(co_await write(f, at), std::errc::invalid_argument) << at;
      }
      EXPECT_EQ(co_await read(f, offset_max - 3, 3), std::error_code()) << "beyond the end";
      EXPECT_EQ(co_await read(f, offset_max - 2, 3), std::errc::invalid_argument);
      EXPECT_EQ(co_await write(f, offset_max - 2), std::errc::invalid_argument);
    }
  };
  const temporary_file here;
  here.write("text");
  run(body::check(here.path()));
  EXPECT_EQ(here.read(), "text");
}

TEST_P(engine, what_has_no_places_is_not_read_or_written_as_a_file) {
  struct body {
    static task<> check(file f) {
      std::string bytes = "abc";
      EXPECT_FALSE(f.has_places());
      const auto read = co_await f.read_at(0, bytes_of(bytes));
      EXPECT_EQ(read ? std::error_code() : read.error(), std::errc::invalid_seek);
      const auto written = co_await f.write_at(0, bytes_of(bytes));
      EXPECT_EQ(written ? std::error_code() : written.error(), std::errc::invalid_seek);
    }
    static task<> send(stream to, file f) {
      for (const transfer how : {transfer::best, transfer::copy, transfer::splice}) {
        const auto sent = co_await send_file(to, f, 0, 3, how);
        EXPECT_EQ(sent ? std::error_code() : sent.error(), std::errc::invalid_seek);
      }
    }
  };
  kernel& os = system_of_test();
  int pipe[2];
  ASSERT_EQ(os.pipe2(pipe, O_CLOEXEC), 0);
  ASSERT_EQ(os.write(pipe[1], "xyz", 3), 3);
  half_pair pair = unix_half(on());
  run(body::send(std::move(pair.ours), file::adopt(on(), os.dup(pipe[0]))));
  for (const int end : pipe) run(body::check(file::adopt(on(), os.dup(end))));
  std::string got(3, '\0');
  EXPECT_EQ(os.read(pipe[0], got.data(), 3), 3);
  EXPECT_EQ(got, "xyz") << "it is as it was";
  for (const int end : pipe) os.close(end);
}

TEST_P(engine, several_reads_of_one_file_are_pending_at_once) {
  struct body {
    static task<> read(const file& f, std::size_t at, std::string& into) {
      EXPECT_EQ((co_await f.read_at(at, bytes_of(into))).value_or(0), into.size());
    }
    static task<> check(std::string path, const std::string& text) {
      const file f = co_await open_or_throw(path, file_mode::read);
      std::vector<std::string> parts(100, std::string(1000, '\0'));
      scope readers;
      for (std::size_t i = 0; i < parts.size(); ++i) readers.spawn(read(f, i * 1000, parts[i]));
      co_await readers.join();
      std::string all;
      for (const std::string& p : parts) all += p;
      EXPECT_TRUE(all == text);
    }
  };
  const temporary_file here;
  const std::string text = pattern(100'000);
  here.write(text);
  run(body::check(here.path(), text));
}

TEST_P(engine, a_file_that_cannot_be_opened_says_why) {
  struct body {
    static task<std::error_code> open(std::string path, file_mode mode) {
      const auto f = co_await file::open(std::move(path), mode);
      co_return f ? std::error_code() : f.error();
    }
  };
  EXPECT_EQ(run(body::open("/no/such/file", file_mode::read)),
            std::errc::no_such_file_or_directory);
  EXPECT_EQ(run(body::open("/", file_mode::update)), std::errc::is_a_directory);
}

TEST_P(engine, writing_to_a_full_disk_is_an_error) {
  struct body {
    static task<std::error_code> check() {
      const file f = co_await open_or_throw("/dev/full", file_mode::update);
      std::string text = "x";
      const auto n = co_await f.write_at(0, bytes_of(text));
      co_return n ? std::error_code() : n.error();
    }
  };
  EXPECT_EQ(run(body::check()), std::errc::no_space_on_device);
}

TEST_P(engine, a_read_only_file_is_not_written_to) {
  struct body {
    static task<std::error_code> check(std::string path) {
      const file f = co_await open_or_throw(path, file_mode::read);
      std::string text = "x";
      const auto n = co_await f.write_at(0, bytes_of(text));
      co_return n ? std::error_code() : n.error();
    }
  };
  const temporary_file here;
  here.write("text");
  EXPECT_EQ(run(body::check(here.path())), std::errc::bad_file_descriptor);
  EXPECT_EQ(here.read(), "text");
}

TEST_P(engine, short_and_interrupted_reads_of_a_file_are_carried_on) {
  faulty& os = on_faulty({{.what = call::pread, .nth = 1, .times = 3, .shorten_to = 100},
                          {.what = call::pread, .nth = 5, .times = 2, .error = EINTR},
                          {.what = call::aio_read, .nth = 1, .times = 2, .error = EAGAIN},
                          {.what = call::io_uring_enter, .nth = 1, .times = 2, .error = EINTR}});
  struct body {
    static task<std::string> check(std::string path) {
      const file f = co_await open_or_throw(path, file_mode::read);
      std::string got(100'000, '\0');
      EXPECT_TRUE(co_await f.read_at(0, bytes_of(got)));
      co_return got;
    }
  };
  const temporary_file here;
  const std::string text = pattern(100'000);
  here.write(text);
  EXPECT_TRUE(run(body::check(here.path())) == text);
  EXPECT_GT(os.injected(), 0U);
}

TEST_P(engine, cancelled_before_it_begins_a_file_is_left_alone) {
  struct body {
    static task<> write(const file& f, outcome& out) {
      std::string text = "x";
      out.set(co_await f.write_at(0, bytes_of(text)));
    }
    static task<> check(std::string path, outcome& out) {
      const file f = co_await open_or_throw(path, file_mode::update);
      scope writers;
      writers.cancel();
      writers.spawn(write(f, out));
      co_await writers.join();
    }
  };
  const temporary_file here;
  outcome out;
  run(body::check(here.path(), out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
  EXPECT_EQ(here.read(), "");
}

TEST_P(engine, a_closed_file_is_a_bad_descriptor) {
  struct body {
    static task<> check(std::string path) {
      file f = co_await open_or_throw(path, file_mode::update);
      f.close();
      f.close();
      std::string text = "x";
      const auto n = co_await f.write_at(0, bytes_of(text));
      EXPECT_EQ(n ? std::error_code() : n.error(), std::errc::bad_file_descriptor);
      const auto synced = co_await f.sync();
      EXPECT_EQ(synced ? std::error_code() : synced.error(), std::errc::bad_file_descriptor);
      EXPECT_FALSE(f.size());
    }
  };
  const temporary_file here;
  run(body::check(here.path()));
}

TEST_P(engine, closing_a_file_that_is_being_read_stops_the_program) {
  struct body {
    static task<> read(const file& f) {
      std::string into(100, '\0');
      static_cast<void>(co_await f.read_at(0, bytes_of(into)));
    }
    static task<> check(std::string path) {
      file f = co_await open_or_throw(path, file_mode::read);
      scope readers;
      readers.spawn(read(f));
      f.close();
      co_await readers.join();
    }
  };
  if (traits().blocking) GTEST_SKIP() << "the read is over when spawn() returns, or soon after";
  const temporary_file here;
  here.write("text");
  expect_stops([&] { new_engine(GetParam())->run(body::check(here.path())); },
               "a file is moved and closed only while nothing is pending on it");
}

}  // namespace
}  // namespace iolite_test
