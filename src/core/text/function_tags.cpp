#include "core/text/function_tags.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace toolkit::text {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kFunction = "<function=", kParameter = "<parameter=",
                           kParameterEnd = "</parameter>";

/// The name in "<function=name>" at the start of `text`, which then begins after it.
std::optional<std::string> take_tag(std::string_view& text, std::string_view tag) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || !text.substr(begin).starts_with(tag)) return std::nullopt;
  const size_t end = text.find('>', begin);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string name(text.substr(begin + tag.size(), end - begin - tag.size()));
  text.remove_prefix(end + 1);
  return name;
}

bool is_text(const OrderedJson& schema, const std::string& key) {
  if (!schema.is_object() || !schema.contains("properties")) return false;
  const OrderedJson& properties = schema["properties"];
  if (!properties.is_object() || !properties.contains(key)) return false;
  const OrderedJson& property = properties[key];
  return property.is_object() && property.value("type", OrderedJson()) == "string";
}

/// Without the line breaks that stand between the value and its tags.
std::string_view value_of(std::string_view text) {
  if (text.starts_with('\n')) text.remove_prefix(1);
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<ReadCall> read_function_tags(std::string_view text, std::span<const Tool> tools) {
  const std::optional<std::string> name = take_tag(text, kFunction);
  const auto tool = std::find_if(tools.begin(), tools.end(),
                                 [&](const Tool& one) { return name && one.name == *name; });
  if (tool == tools.end()) return std::nullopt;
  const OrderedJson schema = OrderedJson::parse(tool->parameters, nullptr, false);
  OrderedJson arguments = OrderedJson::object();
  while (const auto key = take_tag(text, kParameter)) {
    const size_t end = text.find(kParameterEnd);
    const std::string value(value_of(text.substr(0, end)));
    const OrderedJson json = OrderedJson::parse(value, nullptr, /*allow_exceptions=*/false);
    arguments[*key] = is_text(schema, *key) || json.is_discarded() ? OrderedJson(value) : json;
    text.remove_prefix(
        std::min(end == std::string_view::npos ? end : end + kParameterEnd.size(), text.size()));
  }
  return ReadCall{*name, arguments.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)};
}

}  // namespace toolkit::text
