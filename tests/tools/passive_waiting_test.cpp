#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "tests/support/program.h"

// libgomp tells its settings on stderr where OMP_DISPLAY_ENV asks it to.
namespace calotype {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Sets an environment variable for as long as it lives.
class Setting {
 public:
  Setting(const char* name, const char* value) : name_(name) {
    if (const auto* before = std::getenv(name)) before_ = before;
    if (value)
      ::setenv(name, value, 1);
    else
      ::unsetenv(name);
  }
  ~Setting() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

class PassiveWaiting : public testing::Test {
 protected:
  /// What libgomp says of itself in a command.
  static std::string settings(const std::vector<std::string>& arguments = {
                                  "train", "/no/such/file", "--out", "/no"}) {
    return run_program(arguments).err;
  }

  Setting shown_{"OMP_DISPLAY_ENV", "VERBOSE"};
  Setting policy_{"OMP_WAIT_POLICY", nullptr};
  Setting spins_{"GOMP_SPINCOUNT", nullptr};
};

TEST_F(PassiveWaiting, IsWhatCommandsThatComputeDo) {
  const auto told = settings();
  if (told.find("GOMP_SPINCOUNT") == std::string::npos)
    GTEST_SKIP() << "not libgomp";
  EXPECT_THAT(told, HasSubstr("OMP_WAIT_POLICY = 'PASSIVE'"));
  EXPECT_THAT(told, HasSubstr("GOMP_SPINCOUNT = '0'"));
  EXPECT_THAT(told, HasSubstr("/no/such/file")) << "the command has not run";
}

TEST_F(PassiveWaiting, LeavesTheUsersOwnSettingAlone) {
  {
    const Setting active("OMP_WAIT_POLICY", "active");
    EXPECT_THAT(settings(), HasSubstr("OMP_WAIT_POLICY = 'ACTIVE'"));
  }
  const Setting some("GOMP_SPINCOUNT", "1234");
  EXPECT_THAT(settings(), HasSubstr("GOMP_SPINCOUNT = '1234'"));
}

TEST_F(PassiveWaiting, IsNotWorthAStartWhereNobodyWaits) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--version"},
        {"inspect", "/no"},
        {"train", "/no", "--out", "/no", "--threads", "1"}})
    EXPECT_THAT(settings(arguments), Not(HasSubstr("GOMP_SPINCOUNT = '0'")));
}

}  // namespace
}  // namespace calotype
