#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace calotype {

/// A port of 127.0.0.1 that is taken for as long as this lives.
class PortInUse {
 public:
  PortInUse() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_, any, size) == 0 && ::listen(socket_, 1) == 0 &&
        ::getsockname(socket_, any, &size) == 0)
      port_ = ntohs(address.sin_port);
  }
  ~PortInUse() { ::close(socket_); }
  PortInUse(const PortInUse&) = delete;
  PortInUse& operator=(const PortInUse&) = delete;

  int port() const { return port_; }

 private:
  int socket_, port_ = 0;
};

/// One that was free a moment ago.
inline int free_port() {
  return PortInUse().port();
}

}  // namespace calotype
