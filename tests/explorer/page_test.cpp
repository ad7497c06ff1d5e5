#include "explorer/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "core/base64.h"
#include "core/config.h"
#include "explorer/frozen_page.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::Not;

Json imports_of(const std::string& page) {
  const std::string open = "<script type=\"importmap\">";
  const auto begin = page.find(open) + open.size();
  return Json::parse(
      page.substr(begin, page.find("</script>", begin) - begin))["imports"];
}

// A module that another names and that is not put into the page would only be
// missed by a browser.
TEST(ExplorerPage, HoldsEachModuleThatAnotherImports) {
  const auto imports = imports_of(explorer_page());
  ASSERT_TRUE(imports.contains("explorer/app.js"));
  const std::string prefix = "data:text/javascript;base64,";
  std::set<std::string> wanted;
  for (const auto& module : imports.items()) {
    const auto url = module.value().get<std::string>();
    ASSERT_TRUE(url.starts_with(prefix)) << module.key();
    const auto bytes = from_base64(url.substr(prefix.size()));
    const std::string text(bytes.begin(), bytes.end());
    const std::regex import(R"re(from '([^']+)')re");
    for (std::sregex_iterator at(text.begin(), text.end(), import), end;
         at != end; ++at)
      wanted.insert((*at)[1]);
  }
  EXPECT_GT(wanted.size(), 5U);
  for (const auto& name : wanted) EXPECT_TRUE(imports.contains(name)) << name;
}

TEST(ExplorerPage, NeedsNothingFromElsewhere) {
  const auto page = explorer_page();
  EXPECT_THAT(page, Not(HasSubstr("http://")));
  EXPECT_THAT(page, Not(HasSubstr("https://")));
  EXPECT_THAT(page, Not(HasSubstr("/* style */")));
}

// Names of pictures come from strangers.
TEST(FrozenPage, IsNotEndedByAName) {
  const Json model{{"names", {"</script><b>", "<!--<script>"}}};
  const auto page = frozen_page(model, {});
  EXPECT_THAT(page, Not(HasSubstr("</script><b>")));
  EXPECT_THAT(page, Not(HasSubstr("<!--<script>")));
  const std::string open = "id=\"frozen\">";
  const auto begin = page.find(open) + open.size();
  EXPECT_EQ(Json::parse(page.substr(
                begin, page.find("</script>", begin) - begin))["model"],
            model);
}

}  // namespace
}  // namespace calotype
