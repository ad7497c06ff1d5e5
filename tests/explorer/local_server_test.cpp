#include "explorer/local_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "core/error.h"
#include "core/runtime.h"
#include "tests/explorer/raw_client.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::Not;

std::map<std::string, WebRoute> routes() {
  return {{"/",
           {"GET",
            [](const WebRequest&) {
              return WebAnswer{.type = "text/html", .body = "the page"};
            }}},
          {"/api/echo",
           {"POST",
            [](const WebRequest& request) {
              return WebAnswer{.body = request.body};
            }}},
          {"/api/wrong",
           {"POST",
            [](const WebRequest&) -> WebAnswer {
              throw ConfigError("that cannot\nbe");
            }}},
          {"/api/broken", {"POST", [](const WebRequest&) -> WebAnswer {
                             throw std::runtime_error("a fault");
                           }}}};
}

struct Said {
  std::string method = "GET", path = "/", host, token, more, body;
};

class Server : public testing::Test {
 protected:
  /// What a browser would send to this server, but for what `said` says.
  std::string request(const Said& said) const {
    return fmt::format(
        "{} {} HTTP/1.1\r\nHost: {}\r\nX-Calotype-Token: {}\r\n{}"
        "Connection: close\r\nContent-Length: {}\r\n\r\n{}",
        said.method, said.path,
        said.host.empty() ? fmt::format("127.0.0.1:{}", server_.port())
                          : said.host,
        said.token.empty() ? server_.token() : said.token, said.more,
        said.body.size(), said.body);
  }
  RawAnswer ask(const Said& said) const {
    return ask_raw(server_.port(), request(said));
  }

  LocalServer server_{0, routes(), {.max_body_bytes = 1000, .request_s = 0.3}};
};

TEST_F(Server, AnswersWhoKnowsItsAddress) {
  EXPECT_THAT(server_.url(),
              HasSubstr(fmt::format("http://127.0.0.1:{}/?token={}",
                                    server_.port(), server_.token())));
  EXPECT_EQ(server_.token().size(), 32U);
  const auto page = ask({.path = "/?token=" + server_.token(), .token = "-"});
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, "the page");
  const auto echo = ask({.method = "POST", .path = "/api/echo", .body = "abc"});
  EXPECT_EQ(echo.status, 200);
  EXPECT_EQ(echo.body, "abc");
}

TEST_F(Server, TurnsStrangersAway) {
  const auto port = server_.port();
  const std::string known = server_.token();
  for (const Said& said : std::vector<Said>{
           {.token = "00000000000000000000000000000000"},
           {.token = known + "0"},
           {.token = known.substr(1)},
           {.path = "/api/echo", .token = "x"},
           {.path = "/no/such/path", .token = "x"},
           {.host = "localhost"},
           {.host = fmt::format("localhost:{}", port)},
           {.host = fmt::format("127.0.0.1:{}.evil.example", port)},
           {.host = fmt::format("127.0.0.1:{}", port + 1)},
           {.host = fmt::format("evil.example:{}", port)},
           {.more = "Origin: http://evil.example\r\n"},
           {.more = "Origin: null\r\n"},
           {.more = fmt::format("Origin: https://127.0.0.1:{}\r\n", port)},
           {.more = fmt::format("Origin: http://127.0.0.1:{}0\r\n", port)}}) {
    const auto answer = ask(said);
    EXPECT_EQ(answer.status, 403) << request(said);
    EXPECT_THAT(answer.body, Not(HasSubstr("page")));
  }
  EXPECT_EQ(ask({.more = fmt::format("Origin: http://127.0.0.1:{}\r\n", port)})
                .status,
            200);
}

TEST_F(Server, LetsNoOtherPageReadItsAnswers) {
  const auto head = ask({}).head;
  EXPECT_THAT(head, Not(HasSubstr("Access-Control-Allow")));
  EXPECT_THAT(head, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(head, HasSubstr("nosniff"));
  EXPECT_THAT(head, HasSubstr("Cache-Control: no-store"));
}

TEST_F(Server, HasNoPathsButItsOwn) {
  for (const char* path :
       {"/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
        "/api/../api/echo", "/api/echo/", "/API/ECHO", "/api/echo%00"})
    EXPECT_EQ(ask({.method = "POST", .path = path}).status, 404) << path;
  EXPECT_EQ(ask({.method = "POST"}).status, 405);
  EXPECT_EQ(ask({.method = "DELETE", .path = "/api/echo"}).status, 405);
}

TEST_F(Server, SaysInOneLineWhatWentWrong) {
  const auto wrong = ask({.method = "POST", .path = "/api/wrong"});
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.body, "{\"error\":\"that cannot\\\\x0Abe\"}\n");
  EXPECT_EQ(ask({.method = "POST", .path = "/api/broken"}).status, 500);
}

TEST_F(Server, TakesNoEndlessBodies) {
  const auto large = ask(
      {.method = "POST", .path = "/api/echo", .body = std::string(1001, 'x')});
  EXPECT_EQ(large.status, 413);
  for (const char* length :
       {"99999999999999999999999", "18446744073709551615", "4294967297"}) {
    const auto claimed =
        ask_raw(server_.port(),
                fmt::format("POST /api/echo HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n"
                            "X-Calotype-Token: {}\r\nConnection: close\r\n"
                            "Content-Length: {}\r\n\r\nabc",
                            server_.port(), server_.token(), length));
    EXPECT_TRUE(claimed.status == 413 || claimed.status == 400)
        << length << " " << claimed.status;
  }
  // Without a length, and without an end.
  const RawClient client(server_.port());
  client.send(fmt::format(
      "POST /api/echo HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nX-Calotype-Token: "
      "{}\r\nTransfer-Encoding: chunked\r\n\r\n",
      server_.port(), server_.token()));
  bool is_open = true;
  for (int i = 0; i < 10'000 && is_open; ++i)
    is_open = client.send("100\r\n" + std::string(256, 'x') + "\r\n");
  EXPECT_FALSE(is_open);
  EXPECT_EQ(ask({}).status, 200);
}

TEST_F(Server, WaitsForNobodyWhoIsSlow) {
  // A letter at a time, so that the connection is never idle for long.
  const RawClient slow(server_.port());
  const auto all = request(
      {.method = "POST", .path = "/api/echo", .body = std::string(900, 'x')});
  const double begin = monotonic_s();
  bool is_open = true;
  for (size_t i = 0; i < all.size() && is_open; ++i) {
    is_open = slow.send(all.substr(i, 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    server_.drop_slow_connections();
  }
  EXPECT_FALSE(is_open);
  EXPECT_LT(monotonic_s() - begin, 10);
  EXPECT_EQ(ask({}).status, 200);
}

TEST_F(Server, OutlivesWhatIsNoRequest) {
  for (const char* bytes : {"\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00",
                            "GET / HTTP/9.9\r\n\r\n", "POST / HTTP/1.1\r\n"}) {
    const RawClient client(server_.port());
    client.send(bytes);
  }
  const RawClient endless(server_.port());
  bool is_open = true;
  for (int i = 0; i < 100'000 && is_open; ++i)
    is_open = endless.send(std::string(1024, 'a'));
  EXPECT_FALSE(is_open);
  EXPECT_EQ(ask({}).status, 200);
}

TEST_F(Server, KeepsItsMemoryOverManyRequests) {
  for (int i = 0; i < 200; ++i)
    ask({.method = "POST", .path = "/api/echo", .body = std::string(999, 'x')});
  const auto before = peak_memory_bytes();
  for (int i = 0; i < 2000; ++i)
    ASSERT_EQ(ask({.method = "POST",
                   .path = "/api/echo",
                   .body = std::string(999, 'x')})
                  .status,
              200);
  EXPECT_LT(peak_memory_bytes() - before, 4 << 20);
}

TEST(LocalServer, GivesUpWhatANewerRequestReplaces) {
  std::promise<void> entered, open;
  std::atomic<int> answered = 0;
  std::map<std::string, WebRoute> slow;
  slow["/hold"] = {"POST", [&](const WebRequest&) {
                     entered.set_value();
                     open.get_future().wait();
                     return WebAnswer{};
                   }};
  slow["/drag"] = {"POST",
                   [&](const WebRequest& request) {
                     ++answered;
                     return WebAnswer{.body = request.body};
                   },
                   /*newest_wins=*/true};
  LocalServer server(0, slow);
  const auto ask = [&](const std::string& path, const std::string& body) {
    return std::async(std::launch::async, [&server, path, body] {
      return ask_raw(
          server.port(),
          fmt::format("POST {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n"
                      "X-Calotype-Token: {}\r\nConnection: close\r\n"
                      "Content-Length: {}\r\n\r\n{}",
                      path, server.port(), server.token(), body.size(), body));
    });
  };
  auto held = ask("/hold", "");
  entered.get_future().wait();
  // Whichever comes first waits, until the other takes its place.
  std::vector<std::future<RawAnswer>> drags;
  drags.push_back(ask("/drag", "1"));
  drags.push_back(ask("/drag", "2"));
  const auto is_answered = [](std::future<RawAnswer>& drag) {
    return drag.wait_for(std::chrono::milliseconds(20)) ==
           std::future_status::ready;
  };
  while (std::ranges::none_of(drags, is_answered)) {
  }
  open.set_value();
  std::vector<int> statuses{drags[0].get().status, drags[1].get().status};
  EXPECT_THAT(statuses, testing::UnorderedElementsAre(200, 409));
  EXPECT_EQ(held.get().status, 200);
  EXPECT_EQ(answered, 1);
}

TEST(LocalServer, RefusesAPortThatIsTaken) {
  const LocalServer first(0, routes());
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { const LocalServer second(first.port(), routes()); }),
              HasSubstr(fmt::format("port {} cannot be had", first.port())));
}

}  // namespace
}  // namespace calotype
