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
    {"detokenize", "POST",
     [](Explorer& e, const Json& r) { return e.detokenize(r); }, true},
    {"codebook", "POST",
     [](Explorer& e, const Json& r) { return e.codebook(r); }},
    {"sheet", "POST", [](Explorer& e, const Json& r) { return e.sheet(r); }},
    {"nearest", "POST", [](Explorer& e, const Json& r) { return e.nearest(r); },
     true},
    {"directions", "POST",
     [](Explorer& e, const Json& r) { return e.directions(r); }},
    {"thumbnails", "POST",
     [](Explorer& e, const Json& r) { return e.thumbnails(r); }},
};

Json json_of(const WebRequest& request) {
  if (request.body.empty()) return Json::object();
  auto json = parse_json(request.body, "request");
  if (!json.is_object()) throw ConfigError("a request is a JSON object");
  return json;
}

WebAnswer answer_of(const Json& json) {
  return {.body = json_text(json) + "\n"};
}

WebRoute page_route(const std::string& page) {
  return {"GET", [page](const WebRequest&) {
            return WebAnswer{.type = "text/html; charset=utf-8", .body = page};
          }};
}

WebRoute route_of(const NamedAnswer& named,
                  const std::shared_ptr<Explorer>& explorer) {
  const auto handle = [answer = named.answer,
                       explorer](const WebRequest& request) {
    return answer_of(answer(*explorer, json_of(request)));
  };
  return {named.method, handle, named.newest_wins};
}

using Drawn =
    std::function<Json(const Json&, const std::function<void()>& on_step)>;

/// Drawing takes many steps, of which the last is not wanted where a newer
/// request waits.
WebRoute drawing_route(const Drawn& draw) {
  const auto handle = [draw](const WebRequest& request) {
    const auto on_step = [&] {
      if (request.is_outdated && request.is_outdated()) throw Outdated();
    };
    return answer_of(draw(json_of(request), on_step));
  };
  return {"POST", handle, /*newest_wins=*/true};
}

}  // namespace

std::map<std::string, WebRoute> explorer_routes(const Explored& explored) {
  std::map<std::string, WebRoute> routes;
  routes["/"] = page_route(explorer_page());
  for (const auto& named : kAnswers) {
    routes[std::string("/api/") + named.name] = route_of(named, explored.codec);
    if (explored.beside)
      routes[std::string("/api/beside/") + named.name] =
          route_of(named, explored.beside);
  }
  if (const auto view = explored.diffusion) {
    routes["/api/draw"] =
        drawing_route(std::bind_front(&DiffusionView::draw, view));
    routes["/api/walk"] =
        drawing_route(std::bind_front(&DiffusionView::walk, view));
  }
  if (const auto view = explored.tokens)
    routes["/api/draw"] =
        drawing_route(std::bind_front(&TokenView::draw, view));
  return routes;
}

std::map<std::string, WebRoute> toy_routes() {
  return {{"/", page_route(toy_page())}};
}

}  // namespace calotype
