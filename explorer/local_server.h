#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

// A web server for one page on this machine. The only user of libmicrohttpd.
namespace calotype {

struct WebRequest {
  std::string body;
  /// Whether a newer request waits that takes this one's place: whoever works
  /// long asks now and then, and throws Outdated.
  std::function<bool()> is_outdated;
};

/// Ends a request that nobody waits for: status 409.
struct Outdated {};

struct WebAnswer {
  int status = 200;
  std::string type = "application/json";
  std::string body;
};

/// What answers a path. All handlers run on one thread, one after the other.
struct WebRoute {
  std::string method = "POST";  // or GET
  std::function<WebAnswer(const WebRequest&)> handle;

  // A request is outdated as soon as another for the same path comes, and given
  // up with status 409 if it waits: what a hand drags is wanted of its newest
  // place alone.
  bool newest_wins = false;
};

struct WebLimits {
  uint64_t max_body_bytes = 32 << 20;
  int max_connections = 64;
  int max_waiting = 32;   // requests for the handlers' thread; above it, 503
  double request_s = 30;  // in which a request must have arrived whole
};

/// Serves on 127.0.0.1. What comes without the token, or of another Host or
/// Origin than this server's own, is answered with 403 and nothing else: a page
/// of a stranger in the same browser reaches neither handlers nor files, by
/// whatever name it calls this machine (DNS rebinding). What a handler throws
/// becomes {"error": ...}, one line: 400 for ConfigError and DataError, else
/// 500.
class LocalServer {
 public:
  /// `port` 0: a free one. `routes` by path ("/api/model"). Throws ConfigError
  /// if the port is taken.
  LocalServer(uint16_t port, std::map<std::string, WebRoute> routes,
              const WebLimits& limits = {});
  /// Waits for the handler that runs, and for no other.
  ~LocalServer();

  uint16_t port() const;
  const std::string& token() const;  // 32 hex digits, new for each server
  std::string url() const;           // "http://127.0.0.1:8080/?token=..."
  int64_t num_answered() const;      // requests that reached a handler

  /// Ends connections whose request does not come to its end in time. To be
  /// called about once a second.
  void drop_slow_connections();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace calotype
