#include "projects/serve/text_request.h"

#include <fmt/format.h>

#include <random>

#include "core/base/error.h"
#include "projects/serve/api_error.h"

namespace toolkit::serve {

namespace {

constexpr size_t kMostSchemaBytes = 256 << 10, kMostParts = 1024, kMostCalls = 128;

std::string read_content(const OrderedJson& content, const std::string& where) {
  if (content.is_string()) return content.get<std::string>();
  const auto refuse = [&](const OrderedJson& found, const std::string& expected) {
    throw ApiError(
        400, fmt::format("'{}': expected {}, found {}", where, expected, shown_json(found)), where);
  };
  if (!content.is_array() || content.size() > kMostParts)
    refuse(content, "a text or a list of text parts");
  std::string text;
  for (size_t i = 0; i < content.size(); ++i) {
    const Members part(content[i], fmt::format("{}[{}].", where, i));
    const std::string type = part.need_text("type");
    if (type != "text" && type != "input_text" && type != "refusal")
      throw ApiError(
          400,
          fmt::format("'{}': this model reads text only, not '{}' parts", part.path("type"), type),
          part.path("type"));
    text += part.need_text(type == "refusal" ? "refusal" : "text");
  }
  return text;
}

/// A call as templates expect it: with its arguments as an object.
OrderedJson read_call(const OrderedJson& given, const std::string& where) {
  const Members call(given, where);
  if (!call.object("function")) call.refuse("function", "an object");
  const Members function(*call.object("function"), where + "function.");
  OrderedJson arguments = OrderedJson::object();
  if (const OrderedJson* value = function.any("arguments")) {
    if (value->is_string()) {
      const auto& text = value->get_ref<const std::string&>();
      try {
        arguments = text.empty() ? arguments : parse_ordered_json(text, "arguments", 64);
      } catch (const Error&) {
        arguments = text;  // what a model really said, good or not
      }
    } else if (value->is_object()) {
      arguments = *value;
    } else {
      function.refuse("arguments", "JSON text or an object");
    }
  }
  OrderedJson made = {
      {"type", "function"},
      {"function", {{"name", function.need_text("name")}, {"arguments", arguments}}}};
  if (const auto id = call.text("id")) made["id"] = *id;
  return made;
}

text::Message read_message(const OrderedJson& given, const std::string& where) {
  const Members message(given, where);
  text::Message made{.role = message.need_text("role")};
  if (made.role == "developer") made.role = "system";
  if (made.role == "function") made.role = "tool";
  if (made.role != "system" && made.role != "user" && made.role != "assistant" &&
      made.role != "tool")
    message.refuse("role", "system, developer, user, assistant or tool");
  OrderedJson extra = OrderedJson::object();
  if (const OrderedJson* calls = message.list("tool_calls", kMostCalls)) {
    if (made.role != "assistant") message.refuse("tool_calls", "calls in assistant messages only");
    OrderedJson all = OrderedJson::array();
    for (size_t i = 0; i < calls->size(); ++i)
      all.push_back(read_call((*calls)[i], fmt::format("{}tool_calls[{}].", where, i)));
    if (!all.empty()) extra["tool_calls"] = std::move(all);
  }
  if (const OrderedJson* content = message.any("content"))
    made.content = read_content(*content, message.path("content"));
  else if (!(made.role == "assistant" &&
             (extra.contains("tool_calls") || given.contains("content"))))
    message.refuse("content", "a text");
  if (const OrderedJson* images = message.list("images", kMostParts); images && !images->empty())
    throw ApiError(400, "this model reads text only, no images", message.path("images"));
  for (const char* name : {"name", "tool_call_id", "tool_name"})
    if (const auto value = message.text(name, 1024)) extra[name] = *value;
  if (extra.contains("tool_name") && !extra.contains("name")) extra["name"] = extra["tool_name"];
  if (!extra.empty()) made.extra_json = extra.dump();
  return made;
}

}  // namespace

uint64_t seed_of(const Members& members) {
  if (const auto seed = members.integer("seed", std::numeric_limits<int64_t>::min(),
                                        std::numeric_limits<int64_t>::max()))
    return static_cast<uint64_t>(*seed);
  thread_local std::random_device device;
  return (static_cast<uint64_t>(device()) << 31) ^ device();
}

std::vector<text::Message> read_messages(const OrderedJson& list, const std::string& where) {
  std::vector<text::Message> messages;
  for (size_t i = 0; i < list.size(); ++i)
    messages.push_back(read_message(list[i], fmt::format("{}[{}].", where, i)));
  return messages;
}

void read_tools(const OrderedJson& list, TextRequest& request) {
  if (list.empty()) return;
  OrderedJson kept = OrderedJson::array();
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = fmt::format("tools[{}].", i);
    const Members tool(list[i], where);
    if (tool.text("type").value_or("function") != "function") tool.refuse("type", "\"function\"");
    if (!tool.object("function")) tool.refuse("function", "an object");
    const Members function(*tool.object("function"), where + "function.");
    const std::string name = function.need_text("name");
    if (name.empty() || name.size() > 256) function.refuse("name", "a name");
    const OrderedJson* parameters = function.object("parameters");
    const std::string schema = parameters ? parameters->dump() : R"({"type":"object"})";
    if (schema.size() > kMostSchemaBytes) function.refuse("parameters", "a smaller schema");
    request.tools.push_back({name, function.text("description").value_or(""), schema});
    OrderedJson described = *tool.object("function");
    if (!function.any("description")) described["description"] = "";
    if (!parameters)
      described["parameters"] = {{"type", "object"}, {"properties", OrderedJson::object()}};
    kept.push_back({{"type", "function"}, {"function", std::move(described)}});
  }
  request.tools_json = kept.dump();
  request.tool_choice = TextRequest::ToolChoice::kAuto;
}

void set_schema(const OrderedJson& schema, const std::string& where, TextRequest& request) {
  request.schema = schema.dump();
  request.format = TextRequest::Format::kJsonSchema;
  if (request.schema.size() > kMostSchemaBytes)
    throw ApiError(
        400, fmt::format("'{}': expected a schema of at most {} bytes", where, kMostSchemaBytes),
        where);
}

}  // namespace toolkit::serve
