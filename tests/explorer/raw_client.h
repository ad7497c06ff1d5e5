#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>

namespace calotype {

/// A connection over which a test sends what it likes.
class RawClient {
 public:
  explicit RawClient(uint16_t port)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    is_connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address),
                              sizeof address) == 0;
    const timeval patience{.tv_sec = 20};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool is_connected() const { return is_connected_; }

  /// False where the other side has closed.
  bool send(const std::string& bytes) const {
    size_t done = 0;
    while (done < bytes.size()) {
      const auto sent = ::send(socket_, bytes.data() + done,
                               bytes.size() - done, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      done += size_t(sent);
    }
    return true;
  }

  /// All that comes until the other side closes, or `is_enough` says so.
  std::string rest(
      const std::function<bool(const std::string&)>& is_enough = {}) const {
    std::string text;
    char some[4096];
    for (ssize_t got; !(is_enough && is_enough(text)) &&
                      (got = ::recv(socket_, some, sizeof some, 0)) > 0;)
      text.append(some, size_t(got));
    return text;
  }

 private:
  int socket_;
  bool is_connected_ = false;
};

struct RawAnswer {
  int status = 0;  // 0: none came
  std::string head, body;
};

/// Whether all of an answer is there, whose head says its length.
inline bool is_whole_answer(const std::string& text) {
  const std::string key = "\r\nContent-Length: ";
  const auto end = text.find("\r\n\r\n"), length = text.find(key);
  return end != text.npos && length < end &&
         text.size() - end - 4 >=
             std::strtoull(text.c_str() + length + key.size(), nullptr, 10);
}

/// Sends a request as it is and reads the answer. The connection may stay open
/// behind it: a server waits for the rest of a body that it has refused.
inline RawAnswer ask_raw(uint16_t port, const std::string& request) {
  const RawClient client(port);
  client.send(request);
  const auto text = client.rest(is_whole_answer);
  const auto split = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || split == text.npos) return {};
  return {std::atoi(text.c_str() + 9), text.substr(0, split),
          text.substr(split + 4)};
}

}  // namespace calotype
