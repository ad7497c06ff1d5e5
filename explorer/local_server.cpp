#include "explorer/local_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "core/config.h"
#include "core/error.h"
#include "core/failure.h"
#include "explorer/handler_queue.h"

namespace calotype {
namespace {

using Clock = std::chrono::steady_clock;

/// 128 random bits: who does not know them cannot guess them.
std::string new_token() {
  std::array<uint8_t, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != ssize_t(bytes.size()))
    throw ConfigError("explore: the system gives no random numbers");
  std::string token;
  for (const auto byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

/// Takes as long for any wrong token.
bool is_equal(std::string_view given, std::string_view token) {
  if (given.size() != token.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < token.size(); ++i)
    difference |= unsigned(uint8_t(given[i]) ^ uint8_t(token[i]));
  return difference == 0;
}

std::string_view header_of(MHD_Connection* connection, const char* name) {
  const char* value =
      MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value ? value : "";
}

WebAnswer refusal(int status, const std::string& text) {
  return {.status = status,
          .body = json_text(Json{{"error", one_line(text)}}) + "\n"};
}

WebAnswer outdated() {
  return refusal(409, "a newer request came");
}

/// To be called in a catch block.
WebAnswer refusal_of_failure() {
  const auto failure = current_failure();
  return refusal(
      failure.code == kCannot || failure.code == kBadFile ? 400 : 500,
      failure.text);
}

MHD_Result send(MHD_Connection* connection, const WebAnswer& answer) {
  auto* response = MHD_create_response_from_buffer(
      answer.body.size(), const_cast<char*>(answer.body.data()),
      MHD_RESPMEM_MUST_COPY);
  if (!response) return MHD_NO;
  const auto say = [&](const char* name, const char* value) {
    MHD_add_response_header(response, name, value);
  };
  say("Content-Type", answer.type.c_str());
  say("Cache-Control", "no-store");
  say("X-Content-Type-Options", "nosniff");
  say("Referrer-Policy", "no-referrer");
  say("Cross-Origin-Resource-Policy", "same-origin");
  // The page is one file: whatever an image's name or a class's says, nothing
  // is loaded, framed or sent elsewhere.
  say("Content-Security-Policy",
      "default-src 'none'; script-src 'unsafe-inline' data:; style-src "
      "'unsafe-inline'; img-src data: blob:; connect-src 'self'; base-uri "
      "'none'; form-action 'none'; frame-ancestors 'none'");
  const auto sent =
      MHD_queue_response(connection, unsigned(answer.status), response);
  MHD_destroy_response(response);
  return sent;
}

/// A request on its way, from its first line until its answer is sent.
struct Exchange {
  WebRequest request;
  const WebRoute* route = nullptr;
  std::string path;
  std::optional<WebAnswer> answer;
};

}  // namespace

struct LocalServer::Impl {
  Impl(uint16_t wanted, std::map<std::string, WebRoute> its_routes,
       const WebLimits& its_limits)
      : limits(its_limits),
        routes(std::move(its_routes)),
        token(new_token()),
        queue(its_limits.max_waiting) {
    // The daemon answers as soon as it is there: a port that is known is told
    // before, to whoever asks from an earlier page.
    host = fmt::format("127.0.0.1:{}", wanted);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(wanted);
    daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO |
            MHD_ALLOW_SUSPEND_RESUME,
        wanted, nullptr, nullptr, &Impl::on_request, this, MHD_OPTION_SOCK_ADDR,
        reinterpret_cast<sockaddr*>(&address), MHD_OPTION_CONNECTION_LIMIT,
        unsigned(limits.max_connections), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        size_t{32 << 10}, MHD_OPTION_UNESCAPE_CALLBACK, &Impl::keep_escapes,
        nullptr, MHD_OPTION_CONNECTION_TIMEOUT, unsigned{60},
        MHD_OPTION_NOTIFY_COMPLETED, &Impl::on_completed, this,
        MHD_OPTION_NOTIFY_CONNECTION, &Impl::on_connection, this,
        MHD_OPTION_EXTERNAL_LOGGER, &Impl::ignore_log, nullptr, MHD_OPTION_END);
    if (!daemon)
      throw ConfigError(fmt::format("explore: port {} cannot be had: {}",
                                    wanted, std::strerror(errno)));
    const auto* info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    port = info ? info->port : wanted;
    if (wanted == 0) host = fmt::format("127.0.0.1:{}", port);
  }

  ~Impl() {
    // First the handlers: who waits is answered, and so resumed. Requests that
    // come until the daemon stops are refused.
    queue.end();
    MHD_stop_daemon(daemon);
  }

  static void ignore_log(void*, const char*, va_list) {}

  /// No path of ours has an escaped letter, and a hidden zero would end one.
  static size_t keep_escapes(void*, MHD_Connection*, char* text) {
    return std::strlen(text);
  }

  /// Why a request is not even looked at, or nothing.
  bool is_stranger(MHD_Connection* connection) const {
    if (header_of(connection, "Host") != host) return true;
    const auto origin = header_of(connection, "Origin");
    if (!origin.empty() && origin != "http://" + host) return true;
    const char* in_url =
        MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "token");
    return !is_equal(in_url ? in_url : "", token) &&
           !is_equal(header_of(connection, "X-Calotype-Token"), token);
  }

  /// What a request is refused for before its body has come, or nothing.
  std::optional<WebAnswer> refuse(MHD_Connection* connection,
                                  const char* method, Exchange& exchange) {
    if (is_stranger(connection)) return refusal(403, "not for you");
    const auto route = routes.find(exchange.path);
    if (route == routes.end()) return refusal(404, "there is no such thing");
    if (route->second.method != method)
      return refusal(405, exchange.path + " takes " + route->second.method);
    exchange.route = &route->second;
    const auto length = header_of(connection, "Content-Length");
    if (length.size() > 19 ||
        (!length.empty() &&
         std::strtoull(length.data(), nullptr, 10) > limits.max_body_bytes))
      return refusal(413, fmt::format("a request may have {} bytes",
                                      limits.max_body_bytes));
    return {};
  }

  /// On the handlers' thread.
  void run(MHD_Connection* connection, Exchange& exchange) {
    exchange.request.is_outdated = [this, &exchange] {
      return exchange.route->newest_wins && queue.has(exchange.path);
    };
    try {
      exchange.answer = exchange.route->handle(exchange.request);
    } catch (const Outdated&) {
      exchange.answer = outdated();
    } catch (...) {
      exchange.answer = refusal_of_failure();
    }
    ++num_answered;
    MHD_resume_connection(connection);
  }

  void enqueue(MHD_Connection* connection, Exchange& exchange) {
    // Before the handler can end, and resume it.
    MHD_suspend_connection(connection);
    const bool taken = queue.push(
        {.key = exchange.route->newest_wins ? exchange.path : "",
         .run = [this, connection, &exchange] { run(connection, exchange); },
         .drop =
             [connection, &exchange] {
               exchange.answer = outdated();
               MHD_resume_connection(connection);
             }});
    if (taken) return;
    exchange.answer = refusal(503, "too many requests wait");
    MHD_resume_connection(connection);
  }

  MHD_Result take(MHD_Connection* connection, const char* data,
                  size_t* num_bytes, Exchange& exchange) {
    if (exchange.answer) return send(connection, *exchange.answer);
    if (*num_bytes > 0) {
      // A body whose length was not said: there is no answer half way.
      if (exchange.request.body.size() + *num_bytes > limits.max_body_bytes)
        return MHD_NO;
      exchange.request.body.append(data, *num_bytes);
      *num_bytes = 0;
      return MHD_YES;
    }
    arrived(connection);
    enqueue(connection, exchange);
    return MHD_YES;
  }

  static MHD_Result on_request(void* self, MHD_Connection* connection,
                               const char* path, const char* method,
                               const char*, const char* data, size_t* num_bytes,
                               void** state) {
    auto& impl = *static_cast<Impl*>(self);
    try {
      if (*state)
        return impl.take(connection, data, num_bytes,
                         *static_cast<Exchange*>(*state));
      auto exchange = std::make_unique<Exchange>();
      exchange->path = path;
      if (const auto no = impl.refuse(connection, method, *exchange)) {
        impl.arrived(connection);
        return send(connection, *no);
      }
      *state = exchange.release();
      return MHD_YES;
    } catch (const std::exception&) {  // out of memory
      return MHD_NO;
    }
  }

  static void on_completed(void* self, MHD_Connection* connection, void** state,
                           MHD_RequestTerminationCode) {
    delete static_cast<Exchange*>(*state);
    *state = nullptr;
    static_cast<Impl*>(self)->began(connection);
  }

  static void on_connection(void* self, MHD_Connection* connection, void**,
                            MHD_ConnectionNotificationCode code) {
    auto& impl = *static_cast<Impl*>(self);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) return impl.began(connection);
    const std::lock_guard lock(impl.mutex);
    impl.begun.erase(connection);
  }

  /// Another request may come over this connection.
  void began(MHD_Connection* connection) {
    const std::lock_guard lock(mutex);
    begun[connection] = Clock::now();
  }

  void arrived(MHD_Connection* connection) {
    const std::lock_guard lock(mutex);
    begun.erase(connection);
  }

  void drop_slow() {
    const std::lock_guard lock(mutex);
    for (const auto& [connection, since] : begun)
      if (Clock::now() - since >
          std::chrono::duration<double>(limits.request_s))
        // Its own thread sees the end, and closes it.
        ::shutdown(MHD_get_connection_info(connection,
                                           MHD_CONNECTION_INFO_CONNECTION_FD)
                       ->connect_fd,
                   SHUT_RDWR);
  }

  const WebLimits limits;
  const std::map<std::string, WebRoute> routes;
  const std::string token;
  std::string host;
  uint16_t port = 0;
  std::mutex mutex;
  // Connections whose request has not arrived whole, and since when.
  std::map<MHD_Connection*, Clock::time_point> begun;
  HandlerQueue queue;
  std::atomic<int64_t> num_answered = 0;
  MHD_Daemon* daemon = nullptr;
};

LocalServer::LocalServer(uint16_t port, std::map<std::string, WebRoute> routes,
                         const WebLimits& limits)
    : impl_(std::make_unique<Impl>(port, std::move(routes), limits)) {}

LocalServer::~LocalServer() = default;

uint16_t LocalServer::port() const {
  return impl_->port;
}
const std::string& LocalServer::token() const {
  return impl_->token;
}
std::string LocalServer::url() const {
  return fmt::format("http://{}/?token={}", impl_->host, impl_->token);
}
int64_t LocalServer::num_answered() const {
  return impl_->num_answered;
}
void LocalServer::drop_slow_connections() {
  impl_->drop_slow();
}

}  // namespace calotype
