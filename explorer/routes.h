#pragma once

#include <map>
#include <memory>
#include <string>

#include "explorer/explorer.h"
#include "explorer/local_server.h"

namespace calotype {

/// The page at "/" and what it asks, each at /api/NAME and, of the model to
/// compare with, at /api/beside/NAME. `beside` may be null.
std::map<std::string, WebRoute> explorer_routes(
    std::shared_ptr<Explorer> explorer, std::shared_ptr<Explorer> beside);

}  // namespace calotype
