#include "distributed/own_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

#include "core/error.h"
#include "core/note.h"

namespace calotype {
namespace {

std::string digits(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* raw =
      address->sa_family == AF_INET6
          ? static_cast<const void*>(
                &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr)
          : &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
  inet_ntop(address->sa_family, raw, text.data(), text.size());
  return text.data();
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

/// Of the socket that would send to `peer`; nothing is sent. Empty if nothing
/// leads there.
std::string local_end(const addrinfo& peer) {
  const int fd = socket(peer.ai_family, SOCK_DGRAM, 0);
  if (fd < 0) return "";
  sockaddr_storage mine{};
  socklen_t size = sizeof(mine);
  std::string address;
  if (connect(fd, peer.ai_addr, peer.ai_addrlen) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&mine), &size) == 0)
    address = digits(reinterpret_cast<sockaddr*>(&mine));
  close(fd);
  return address;
}

struct Interface {
  std::string name, address;
};

/// Those that others may reach, in the system's order.
std::vector<Interface> interfaces() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owned(list,
                                                               freeifaddrs);
  std::vector<Interface> found;
  for (const auto* at = list; at; at = at->ifa_next)
    if (at->ifa_addr && at->ifa_addr->sa_family == AF_INET &&
        (at->ifa_flags & IFF_UP) && !(at->ifa_flags & IFF_LOOPBACK))
      found.push_back({at->ifa_name, digits(at->ifa_addr)});
  return found;
}

}  // namespace

std::string own_address_towards(const std::string& peer) {
  addrinfo* list = nullptr;
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  if (const int error = getaddrinfo(peer.c_str(), "9", &hints, &list))
    throw ConfigError(fmt::format(
        "MASTER_ADDR={}: {}", peer,
        error == EAI_SYSTEM ? "cannot be looked up" : gai_strerror(error)));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(list,
                                                                 freeaddrinfo);
  std::string found;
  for (const auto* at = list; at && found.empty(); at = at->ai_next)
    found = local_end(*at);
  if (found.empty())
    throw ConfigError(fmt::format(
        "MASTER_ADDR={}: no interface of this machine leads there", peer));
  if (!is_loopback(found)) return found;
  const auto others = interfaces();
  if (others.empty())
    throw ConfigError(
        fmt::format("MASTER_ADDR={}: is this machine, which has no interface "
                    "that others reach; set GLOO_SOCKET_IFNAME",
                    peer));
  if (others.size() > 1)
    note(fmt::format(
        "MASTER_ADDR={} is this machine, which others are told to reach as {} "
        "({}); GLOO_SOCKET_IFNAME names another interface",
        peer, others.front().address, others.front().name));
  return others.front().address;
}

}  // namespace calotype
