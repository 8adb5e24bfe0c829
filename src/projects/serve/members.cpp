#include "projects/serve/members.h"

#include <fmt/format.h>

#include <cmath>

#include "core/base/error.h"
#include "projects/serve/api_error.h"

namespace toolkit::serve {

namespace {
constexpr int kMaxDepth = 64;
}

std::string shown_json(const OrderedJson& value) {
  std::string text = value.dump(-1, ' ', true, OrderedJson::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

OrderedJson parse_body(const std::string& body) {
  if (body.empty()) throw ApiError(400, "the body is empty: expected a JSON object");
  OrderedJson json;
  try {
    json = parse_ordered_json(body, "body", kMaxDepth);
  } catch (const Error& error) {
    throw ApiError(400, error.what());
  }
  if (!json.is_object())
    throw ApiError(400, "body: expected a JSON object, found " + shown_json(json));
  return json;
}

Members::Members(const OrderedJson& object, std::string where)
    : object_(object), where_(std::move(where)) {
  if (!object.is_object()) {
    if (where_.ends_with('.')) where_.pop_back();
    throw ApiError(
        400, fmt::format("'{}': expected an object, found {}", where_, shown_json(object)), where_);
  }
}

void Members::refuse(const char* name, const std::string& expected) const {
  const OrderedJson* value = any(name);
  throw ApiError(400,
                 fmt::format("'{}': expected {}, found {}", path(name), expected,
                             value ? shown_json(*value) : "nothing"),
                 path(name));
}

const OrderedJson* Members::any(const char* name) const {
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> Members::text(const char* name, size_t max_bytes) const {
  const OrderedJson* value = any(name);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse(name, "a text");
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > max_bytes) refuse(name, fmt::format("a text of at most {} bytes", max_bytes));
  return text;
}

std::optional<int64_t> Members::integer(const char* name, int64_t minimum, int64_t maximum) const {
  const OrderedJson* value = any(name);
  if (!value) return std::nullopt;
  const auto wrong = [&] {
    refuse(name, fmt::format("a whole number from {} to {}", minimum, maximum));
  };
  if (!value->is_number_integer()) wrong();
  if (value->is_number_unsigned() &&
      value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    wrong();
  const auto number = value->get<int64_t>();
  if (number < minimum || number > maximum) wrong();
  return number;
}

std::optional<double> Members::number(const char* name, double minimum, double maximum) const {
  const OrderedJson* value = any(name);
  if (!value) return std::nullopt;
  if (!value->is_number() || !std::isfinite(value->get<double>()) ||
      value->get<double>() < minimum || value->get<double>() > maximum)
    refuse(name, fmt::format("a number from {} to {}", minimum, maximum));
  return value->get<double>();
}

std::optional<bool> Members::boolean(const char* name) const {
  const OrderedJson* value = any(name);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse(name, "true or false");
  return value->get<bool>();
}

const OrderedJson* Members::object(const char* name) const {
  const OrderedJson* value = any(name);
  if (value && !value->is_object()) refuse(name, "an object");
  return value;
}

const OrderedJson* Members::list(const char* name, size_t max_items) const {
  const OrderedJson* value = any(name);
  if (value && (!value->is_array() || value->size() > max_items))
    refuse(name, fmt::format("a list of at most {} items", max_items));
  return value;
}

std::vector<std::string> Members::texts(const char* name, size_t max_items,
                                        size_t max_bytes) const {
  const OrderedJson* value = any(name);
  if (!value) return {};
  if (value->is_string()) return {*text(name, max_bytes)};
  const auto wrong = [&] {
    refuse(name, fmt::format("a text or at most {} texts, each of at most {} bytes", max_items,
                             max_bytes));
  };
  if (!value->is_array() || value->size() > max_items) wrong();
  std::vector<std::string> texts;
  for (const OrderedJson& one : *value) {
    if (!one.is_string() || one.get_ref<const std::string&>().size() > max_bytes) wrong();
    texts.push_back(one.get<std::string>());
  }
  return texts;
}

std::string Members::need_text(const char* name) const {
  const auto value = text(name);
  if (!value) refuse(name, "a text");
  return *value;
}

const OrderedJson& Members::need_list(const char* name, size_t max_items) const {
  const OrderedJson* value = list(name, max_items);
  if (!value) refuse(name, "a list");
  return *value;
}

}  // namespace toolkit::serve
