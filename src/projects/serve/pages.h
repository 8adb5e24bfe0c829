#pragma once

#include <charconv>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/http/server/request.h"
#include "projects/serve/api_error.h"
#include "projects/serve/routes.h"

namespace toolkit::serve {

/// "limit" of the query, 1 to `most`; `most` or 20 if it is not there. Throws ApiError(400).
inline size_t page_limit(const http::server::Request& request, size_t most) {
  const auto text = request.parameter("limit");
  if (!text) return std::min<size_t>(most, most > 100 ? most : 20);
  size_t limit = 0;
  const auto end = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (end.ec != std::errc() || end.ptr != text->data() + text->size() || limit < 1 || limit > most)
    throw ApiError(400, fmt::format("'limit': expected a whole number from 1 to {}", most),
                   "limit");
  return limit;
}

/// One page of a list as OpenAI has it: the items behind the one with the id "after", as JSON made
/// by `to_json`, which have an "id".
template <class Item, class ToJson>
Json page_json(const http::server::Request& request, const std::vector<Item>& items,
               const ToJson& to_json, size_t most = 100) {
  const size_t limit = page_limit(request, most);
  const auto after = request.parameter("after");
  Json data = Json::array();
  bool begun = !after || after->empty(), more = false;
  for (const Item& item : items) {
    Json json = to_json(item);
    if (begun && data.size() == limit) {
      more = true;
      break;
    }
    if (begun)
      data.push_back(std::move(json));
    else
      begun = json["id"] == *after;
  }
  if (!begun) throw ApiError(404, "'after': there is no such item in the list", "after");
  return {{"object", "list"},
          {"data", data},
          {"has_more", more},
          {"first_id", data.empty() ? Json() : data.front()["id"]},
          {"last_id", data.empty() ? Json() : data.back()["id"]}};
}

}  // namespace toolkit::serve
