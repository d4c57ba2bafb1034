// What serve() refuses, in one line that says what to do.
#include "serve_test.hpp"

#include "support/streams.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

error refusal_of(serve_options o) {
  o.signals = false;
  serve_stop stop;  // were it not refused, it would end at once
  stop.request();
  o.stop = &stop;
  const auto r = iolite::serve(echo, o);
  EXPECT_FALSE(r) << "it was not refused";
  if (r) return {};
  EXPECT_FALSE(r.error().message.empty());
  EXPECT_EQ(r.error().message.find('\n'), std::string::npos) << r.error().message;
  return r.error();
}

bool mentions(const error& e, std::string_view words) {
  return e.message.find(words) != std::string::npos;
}

TEST(serve_refuses, blocking_with_everyone_on_one_thread) {
  const error e = refusal_of({.model = "blocking/shared"});
  EXPECT_TRUE(e.code);
  EXPECT_TRUE(mentions(e, "blocking")) << e.message;
}

TEST(serve_refuses, processes_for_a_handler_that_shares_memory) {
  for (const char* model :
       {"poll/process", "poll/prefork", "blocking/process", "blocking/prefork"}) {
    const error e = refusal_of({.model = model, .shares_memory = true});
    EXPECT_EQ(e.code, std::errc::invalid_argument);
    EXPECT_TRUE(mentions(e, model)) << e.message;
  }
}

TEST(serve_refuses, a_model_that_does_not_exist) {
  EXPECT_TRUE(mentions(refusal_of({.model = "telepathy"}), "telepathy"));
  EXPECT_TRUE(mentions(refusal_of({.model = "poll/everywhere"}), "everywhere"));
  EXPECT_TRUE(mentions(refusal_of({.model = "poll/"}), "poll"));
}

TEST(serve_refuses, an_address_it_cannot_read) {
  EXPECT_TRUE(mentions(refusal_of({.model = "poll", .listen = {"nonsense"}}), "nonsense"));
  EXPECT_TRUE(mentions(refusal_of({.model = "poll", .listen = {"127.0.0.1:99999"}}), "99999"));
}

TEST(serve_refuses, no_address_at_all) { refusal_of({.model = "poll", .listen = {}}); }

TEST(serve_refuses, an_address_that_others_can_reach_unless_told_so) {
  const error e = refusal_of({.model = "poll", .listen = {"0.0.0.0:0"}});
  EXPECT_TRUE(mentions(e, "0.0.0.0")) << e.message;
  EXPECT_TRUE(mentions(e, "public")) << e.message;
}

TEST_P(serve, a_port_in_use_is_one_line_that_names_it) {
  const raw_listener taken;
  serve_options o = options();
  o.listen = {taken.address().to_string()};
  served server(echo, o);
  EXPECT_FALSE(server.listening());
  EXPECT_NE(server.error().find(std::to_string(taken.address().port())), std::string::npos)
      << server.error();
  EXPECT_EQ(server.wait(), 1);
}

TEST_P(serve, a_second_address_in_use_takes_the_first_one_down_too) {
  const raw_listener taken;
  serve_options o = options();
  o.listen = {"127.0.0.1:0", taken.address().to_string()};
  served server(echo, o);
  EXPECT_FALSE(server.listening());
  EXPECT_FALSE(server.error().empty());
  EXPECT_EQ(server.wait(), 1);
}

}  // namespace
}  // namespace iolite_test
