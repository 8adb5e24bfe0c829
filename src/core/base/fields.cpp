#include "core/base/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <set>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/nearest.h"
#include "core/base/settings_file.h"

namespace toolkit {

namespace {

constexpr size_t kConfigBytes = 1 << 20;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

std::string key_of(const std::string& name) {
  std::string key = name;
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

const char* expected_type(const Field& field) {
  return std::visit(
      Overloaded{
          [](bool*) { return "true or false"; },
          [&](int*) { return field.automatic ? "a whole number or auto" : "a whole number"; },
          [](double*) { return "a number"; }, [](std::string*) { return "a text"; },
          [](std::vector<std::string>*) { return "a list"; }},
      field.target);
}

[[noreturn]] void wrong_type(const Field& field, const std::string& where,
                             const std::string& found) {
  fail(ErrorKind::kUserInput, "{}: expected {}, found '{}'", where, expected_type(field), found);
}

bool parse_bool(const Field& field, const std::string& text, const std::string& where) {
  if (text == "true" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "no" || text == "off") return false;
  wrong_type(field, where, text);
}

/// strtod and strtoll instead of from_chars: Apple's library has no from_chars for double yet.
template <class Number, class Parse>
Number parse_number(const Field& field, const std::string& text, const std::string& where,
                    Parse parse) {
  char* end = nullptr;
  errno = 0;
  const auto value = parse(text.c_str(), &end);
  const bool whole =
      !text.empty() && !std::isspace(static_cast<unsigned char>(text[0])) && *end == '\0';
  if (!whole || errno == ERANGE || !std::isfinite(static_cast<double>(value)) ||
      static_cast<double>(value) < static_cast<double>(std::numeric_limits<Number>::lowest()) ||
      static_cast<double>(value) > static_cast<double>(std::numeric_limits<Number>::max()))
    wrong_type(field, where, text);
  return static_cast<Number>(value);
}

std::vector<std::string> split_commas(const std::vector<std::string>& texts) {
  std::vector<std::string> parts;
  for (const std::string& text : texts) {
    size_t begin = 0;
    while (begin <= text.size()) {
      const size_t end = std::min(text.find(',', begin), text.size());
      if (end > begin) parts.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return parts;
}

/// The setting as it is typed: "--rank", or the bare name of a word that stands by its place.
std::string typed_name(const Field& field) {
  return field.positional ? field.name : "--" + field.name;
}

void check_range(const Field& field, double value) {
  if (value >= field.minimum && value <= field.maximum) return;
  const bool low = std::isfinite(field.minimum), high = std::isfinite(field.maximum);
  const std::string allowed = low && high ? fmt::format("{} to {}", field.minimum, field.maximum)
                              : low       ? fmt::format("at least {}", field.minimum)
                                          : fmt::format("at most {}", field.maximum);
  fail(ErrorKind::kUserInput, "{}: expected {}, found {}", typed_name(field), allowed, value);
}

void check_choice(const Field& field, const std::string& value) {
  if (field.choices.empty() || value.empty()) return;
  if (std::find(field.choices.begin(), field.choices.end(), value) != field.choices.end()) return;
  fail(ErrorKind::kUserInput, "{}: expected one of {}, found '{}'.{}", typed_name(field),
       fmt::join(field.choices, ", "), value, did_you_mean(value, field.choices));
}

void check_present(const Field& field, bool empty) {
  if (!field.required || !empty) return;
  fail(ErrorKind::kUserInput, "{} is missing: {}", typed_name(field), field.help);
}

const Field& field_for_key(const std::string& where, const std::string& key, const Fields& fields) {
  std::vector<std::string> known;
  for (const Field& field : fields) {
    if (key_of(field.name) == key_of(key)) return field;
    known.push_back(key_of(field.name));
  }
  fail(ErrorKind::kUserInput, "{}: unknown setting '{}'.{}", where, key, did_you_mean(key, known));
}

std::vector<std::string> scalar_texts(const Field& field, const YAML::Node& value,
                                      const std::string& where) {
  if (value.IsScalar()) return {value.Scalar()};
  const bool list = std::holds_alternative<std::vector<std::string>*>(field.target);
  if (!list || !value.IsSequence())
    wrong_type(field, where, value.IsNull() ? "nothing" : value.IsMap() ? "a mapping" : "a list");
  std::vector<std::string> texts;
  for (const YAML::Node& item : value) {
    if (!item.IsScalar()) wrong_type(field, where, "something nested");
    texts.push_back(item.Scalar());
  }
  return texts;
}

YAML::Node load_yaml(const std::string& text, const std::string& source) {
  try {
    return YAML::Load(text);
  } catch (const YAML::Exception& error) {
    fail(ErrorKind::kUserInput, "{}:{}:{}: {}", source, error.mark.line + 1, error.mark.column + 1,
         error.msg);
  }
}

/// Returns the names of the fields that stand there.
std::vector<std::string> read_mapping(const YAML::Node& root, const std::string& path,
                                      const Fields& fields,
                                      const std::vector<std::string>& already_set) {
  if (root.IsNull()) return {};
  if (!root.IsMap())
    fail(ErrorKind::kUserInput, "{}:{}: expected 'setting: value' lines, found {}", path,
         root.Mark().line + 1, root.IsSequence() ? "a list" : "a single value");
  std::set<std::string> seen;
  for (const auto& entry : root) {
    const std::string where = fmt::format("{}:{}", path, entry.first.Mark().line + 1);
    if (!entry.first.IsScalar())
      fail(ErrorKind::kUserInput, "{}: expected the name of a setting", where);
    const std::string key = entry.first.Scalar();
    const Field& field = field_for_key(where, key, fields);
    if (!seen.insert(field.name).second)
      fail(ErrorKind::kUserInput, "{}: '{}' is set twice in this file", where, key);
    const std::string place = where + ": " + key;
    const std::vector<std::string> texts = scalar_texts(field, entry.second, place);
    if (std::find(already_set.begin(), already_set.end(), field.name) == already_set.end())
      set_field(field, texts, place);
  }
  return {seen.begin(), seen.end()};
}

}  // namespace

void set_field(const Field& field, const std::vector<std::string>& texts,
               const std::string& where) {
  if (auto list = std::get_if<std::vector<std::string>*>(&field.target)) {
    **list = split_commas(texts);
    return;
  }
  const std::string text = texts.empty() ? "" : texts.back();
  std::visit(
      Overloaded{
          [&](bool* value) { *value = parse_bool(field, text, where); },
          [&](int* value) {
            const bool automatic = field.automatic && text == "auto";
            *value = automatic
                         ? *field.automatic
                         : parse_number<int>(field, text, where, [](const char* s, char** end) {
                             return std::strtoll(s, end, 10);
                           });
          },
          [&](double* value) { *value = parse_number<double>(field, text, where, std::strtod); },
          [&](std::string* value) { *value = text; }, [](std::vector<std::string>*) {}},
      field.target);
}

void check_fields(const Fields& fields) {
  for (const Field& field : fields) {
    std::visit(Overloaded{[](bool*) {},
                          [&](int* value) {
                            if (field.automatic != *value) check_range(field, *value);
                          },
                          [&](double* value) { check_range(field, *value); },
                          [&](std::string* value) {
                            check_present(field, value->empty());
                            check_choice(field, *value);
                          },
                          [&](std::vector<std::string>* values) {
                            check_present(field, values->empty());
                            for (const std::string& value : *values) check_choice(field, value);
                          }},
               field.target);
  }
}

void read_yaml(const std::string& path, const Fields& fields,
               const std::vector<std::string>& already_set) {
  read_mapping(load_yaml(read_file(path, kConfigBytes), path), path, fields, already_set);
}

std::vector<std::string> read_yaml_text(const std::string& text, const std::string& source,
                                        const std::string& section, const Fields& fields) {
  const YAML::Node root = load_yaml(text, source);
  if (section.empty()) return read_mapping(root, source, fields, {});
  if (root.IsNull()) return {};
  if (!root.IsMap())
    fail(ErrorKind::kUserInput, "{}:1: expected sections like '{}:'", source, section);
  for (const auto& entry : root)
    if (entry.first.IsScalar() && entry.first.Scalar() == section)
      return read_mapping(entry.second, source, fields, {});
  return {};
}

std::string fields_to_json(const Fields& fields) {
  nlohmann::ordered_json values = nlohmann::ordered_json::object();
  for (const Field& field : fields)
    std::visit(Overloaded{[&](auto* value) { values[key_of(field.name)] = *value; },
                          [&](int* value) {
                            const std::string key = key_of(field.name);
                            if (field.automatic == *value)
                              values[key] = "auto";
                            else
                              values[key] = *value;
                          }},
               field.target);
  return values.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace toolkit
