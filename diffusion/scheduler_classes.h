#pragma once

#include <string>
#include <vector>

#include "core/config.h"

namespace calotype {

/// A class that a `scheduler_config.json` may name.
struct SchedulerClass {
  std::string name;
  std::string sampler;     // of make_sampler()
  std::string prediction;  // prediction_type that goes without saying, or empty
  std::vector<std::string> keys;  // of ScheduleConfig that this class has
  Json fixed = Json::object();    // keys that have but one value here
  std::vector<std::string> unused = {};  // keys that then say nothing
  Json defaults =
      Json::object();  // of keys, where they are not ScheduleConfig's
};

const std::vector<SchedulerClass>& scheduler_classes();

/// Throws ConfigError naming the known classes.
const SchedulerClass& find_scheduler_class(const std::string& name);

}  // namespace calotype
