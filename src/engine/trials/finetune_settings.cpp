#include "engine/trials/finetune_settings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "core/base/nearest.h"
#include "core/base/subprocess.h"

namespace toolkit::trials {

namespace {

std::vector<std::string> split(const std::string& text, const std::string& marks) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find_first_of(marks, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

void check_number(const Json& field, const std::string& text, const std::string& where) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value))
    fail(ErrorKind::kUserInput, "{}: expected a number, found '{}'", where, text);
  if (field["type"] == "integer" && value != std::floor(value))
    fail(ErrorKind::kUserInput, "{}: expected a whole number, found '{}'", where, text);
  const double low = field.value("minimum", -HUGE_VAL), high = field.value("maximum", HUGE_VAL);
  if (value < low)
    fail(ErrorKind::kUserInput, "{}: {} is below finetune's smallest, {}", where, text, low);
  if (value > high)
    fail(ErrorKind::kUserInput, "{}: {} is above finetune's largest, {}", where, text, high);
}

/// What the settings of all trials are put together from.
struct Assembly {
  const Json& fields;
  std::span<const char* const> reserved;
  const std::string& command;
  Settings settings;
};

void put(Assembly& all, const std::string& name, const std::string& value,
         const std::string& where) {
  const Json* field = find_field(all.fields, name);
  if (!field) {
    std::vector<std::string> known;
    for (const Json& one : all.fields) known.push_back(one["name"]);
    fail(ErrorKind::kUserInput, "{}: finetune has no setting '{}'.{}", where, name,
         did_you_mean(name, known));
  }
  const std::string full = (*field)["name"];
  if (std::find(all.reserved.begin(), all.reserved.end(), full) != all.reserved.end())
    fail(ErrorKind::kUserInput, "{0}: {1} is set by {2} itself; see `mlx-toolkit {2} --help`",
         where, full, all.command);
  check_value(*field, value, where);
  all.settings[full] = value;
}

}  // namespace

Json finetune_fields(const std::string& program, const std::filesystem::path& log) {
  const Json help = run_for_json({program, "finetune", "--help", "--json"}, log);
  const auto fields = help.find("fields");
  if (fields == help.end() || !fields->is_array() || fields->empty())
    fail(ErrorKind::kIo, "`{} finetune --help --json` lists no settings", program);
  for (const Json& field : *fields) {
    if (!field.contains("name") || !field.contains("type") || !field.contains("choices"))
      fail(ErrorKind::kIo, "`{} finetune --help --json`: {} is no setting", program, field.dump());
  }
  return *fields;
}

const Json* find_field(const Json& fields, const std::string& name) {
  std::string dashed = name;
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  for (const Json& field : fields) {
    if (field["name"] == dashed) return &field;
  }
  return nullptr;
}

void check_value(const Json& field, const std::string& text, const std::string& where) {
  const std::string type = field["type"];
  if (type == "integer" || type == "number") check_number(field, text, where);
  if (type == "flag" && text != "true" && text != "false")
    fail(ErrorKind::kUserInput, "{}: expected true or false, found '{}'", where, text);
  const std::vector<std::string> choices = field["choices"];
  if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end())
    fail(ErrorKind::kUserInput, "{}: expected one of {}, found '{}'", where,
         fmt::join(choices, ", "), text);
}

Settings fixed_settings(const std::string& file, const std::vector<std::string>& assignments,
                        const Json& fields, std::span<const char* const> reserved,
                        const std::string& command) {
  Assembly all{fields, reserved, command, {}};
  if (!file.empty()) {
    std::map<std::string, std::vector<std::string>> texts;
    Fields targets;
    for (const Json& field : fields)
      targets.push_back({.name = field["name"], .target = &texts[field["name"]]});
    read_yaml(file, targets, {});
    for (const auto& [name, parts] : texts) {
      if (!parts.empty())
        put(all, name, fmt::format("{}", fmt::join(parts, ",")), file + ": " + name);
    }
  }
  // A list was split at its commas: what has no '=' belongs to the one before.
  std::vector<std::string> whole;
  for (const std::string& part : assignments) {
    if (part.find('=') == std::string::npos && !whole.empty())
      whole.back() += "," + part;
    else
      whole.push_back(part);
  }
  for (const std::string& text : whole) {
    const size_t equal = text.find('=');
    if (equal == std::string::npos || equal == 0)
      fail(ErrorKind::kUserInput, "--set: expected name=value, found '{}'", text);
    put(all, text.substr(0, equal), text.substr(equal + 1), "--set " + text);
  }
  return std::move(all.settings);
}

std::string to_yaml(const Settings& settings, const Json& fields) {
  std::string yaml;
  for (const Json& field : fields) {
    const auto found = settings.find(field["name"]);
    if (found == settings.end()) continue;
    std::string key = found->first;
    std::replace(key.begin(), key.end(), '-', '_');
    const std::string type = field["type"];
    // JSON's texts and lists are YAML's too.
    const std::string value = type == "list"   ? Json(split(found->second, ",+")).dump()
                              : type == "text" ? Json(found->second).dump()
                                               : found->second;
    yaml += key + ": " + value + "\n";
  }
  return yaml;
}

}  // namespace toolkit::trials
