#include "explorer/routes.h"

#include <functional>

#include "core/config.h"
#include "core/error.h"
#include "explorer/page.h"

namespace calotype {
namespace {

using Answer = std::function<Json(Explorer&, const Json& request)>;

struct NamedAnswer {
  const char* name;
  const char* method;
  Answer answer;
  bool newest_wins = false;
};

const NamedAnswer kAnswers[] = {
    {"model", "GET", [](Explorer& e, const Json&) { return e.model(); }},
    {"plane", "POST", [](Explorer& e, const Json& r) { return e.plane(r); }},
    {"off_plane", "POST",
     [](Explorer& e, const Json& r) { return e.off_plane(r); }, true},
    {"encode", "POST", [](Explorer& e, const Json& r) { return e.encode(r); }},
    {"decode", "POST", [](Explorer& e, const Json& r) { return e.decode(r); },
     true},
    {"sheet", "POST", [](Explorer& e, const Json& r) { return e.sheet(r); }},
    {"nearest", "POST", [](Explorer& e, const Json& r) { return e.nearest(r); },
     true},
    {"thumbnails", "POST",
     [](Explorer& e, const Json& r) { return e.thumbnails(r); }},
};

WebRoute route_of(const NamedAnswer& named,
                  const std::shared_ptr<Explorer>& explorer) {
  const auto handle = [answer = named.answer,
                       explorer](const WebRequest& request) {
    Json json = Json::object();
    if (!request.body.empty()) json = parse_json(request.body, "request");
    if (!json.is_object()) throw ConfigError("a request is a JSON object");
    return WebAnswer{.body = json_text(answer(*explorer, json)) + "\n"};
  };
  return {named.method, handle, named.newest_wins};
}

}  // namespace

std::map<std::string, WebRoute> explorer_routes(
    std::shared_ptr<Explorer> explorer, std::shared_ptr<Explorer> beside) {
  std::map<std::string, WebRoute> routes;
  routes["/"] = {"GET", [page = explorer_page()](const WebRequest&) {
                   return WebAnswer{.type = "text/html; charset=utf-8",
                                    .body = page};
                 }};
  for (const auto& named : kAnswers) {
    routes[std::string("/api/") + named.name] = route_of(named, explorer);
    if (beside)
      routes[std::string("/api/beside/") + named.name] =
          route_of(named, beside);
  }
  return routes;
}

}  // namespace calotype
