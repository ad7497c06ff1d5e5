#pragma once

#include <string>

namespace calotype {

/// The address of this machine, in digits, that other machines reach it by: of
/// the interface that leads to `peer`, a name or an address. What leads to it
/// is the loopback interface on the peer itself (Debian's /etc/hosts calls it
/// 127.0.1.1), whose other interface is taken then; where there are several,
/// which one is said. Throws ConfigError for a name that leads nowhere.
std::string own_address_towards(const std::string& peer);

}  // namespace calotype
