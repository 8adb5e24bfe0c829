#include "core/base/settings_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/nearest.h"
#include "core/base/paths.h"

namespace toolkit {

namespace fs = std::filesystem;

namespace {

constexpr size_t kFileBytes = 1 << 20;

/// Double quotes and JSON's escapes are YAML too; plain words stay plain.
std::string yaml_text(const std::string& value) {
  const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) ||
           std::string_view("/._-~").find(letter) != std::string_view::npos;
  });
  const bool word = value == "true" || value == "false" || value == "yes" || value == "no" ||
                    value == "on" || value == "off" || value == "null" || value == "~";
  return plain && !word && value[0] != '-' ? value : nlohmann::json(value).dump();
}

std::string yaml_value(const Field& field) {
  if (const auto value = std::get_if<bool*>(&field.target)) return **value ? "true" : "false";
  if (const auto value = std::get_if<int*>(&field.target)) return fmt::format("{}", **value);
  if (const auto value = std::get_if<double*>(&field.target)) return fmt::format("{}", **value);
  if (const auto value = std::get_if<std::string*>(&field.target)) return yaml_text(**value);
  std::string list;
  for (const std::string& item : **std::get_if<std::vector<std::string>*>(&field.target))
    list += (list.empty() ? "" : ", ") + nlohmann::json(item).dump();
  return "[" + list + "]";
}

struct Line {
  std::string text;
  size_t indent = 0;
  bool empty = false;  // blank or only a comment
  std::string key;     // "cache_dir" of "  cache-dir: x"; "" if it is no such line
};

Line parse_line(const std::string& text) {
  Line line{.text = text};
  line.indent = std::min(text.find_first_not_of(' '), text.size());
  const std::string_view rest = std::string_view(text).substr(line.indent);
  line.empty = rest.empty() || rest[0] == '#' || rest == "\r";
  const size_t colon = rest.find(':');
  if (line.empty || colon == rest.npos || rest[0] == '-') return line;
  std::string key(rest.substr(0, colon));
  key.erase(key.find_last_not_of(" '\"") + 1);
  key.erase(0, key.find_first_not_of("'\""));
  line.key = setting_key(key);
  return line;
}

std::vector<Line> parse_lines(const std::string& text) {
  std::vector<Line> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(parse_line(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

/// One past the last line that belongs to the key at `at`: deeper ones, and list items beside it.
size_t end_of_value(const std::vector<Line>& lines, size_t at, size_t limit) {
  size_t end = at + 1;
  for (size_t next = at + 1; next < limit; ++next) {
    if (lines[next].empty) continue;
    const bool item =
        lines[next].indent == lines[at].indent && lines[next].text[lines[next].indent] == '-';
    if (lines[next].indent <= lines[at].indent && !item) break;
    end = next + 1;
  }
  return end;
}

/// The comment behind a value, with the blanks before it.
std::string trailing_comment(const std::string& text) {
  char quote = 0;
  for (size_t at = text.find(':'); at < text.size(); ++at) {
    if (quote)
      quote = text[at] == quote ? 0 : quote;
    else if (text[at] == '"' || text[at] == '\'')
      quote = text[at];
    else if (text[at] == '#' && (text[at - 1] == ' ' || text[at - 1] == '\t'))
      return "  " + text.substr(at);
  }
  return "";
}

std::string joined(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines) text += line.text + "\n";
  return text;
}

}  // namespace

fs::path suite_settings_file() {
  return home_folder() / "config.yaml";
}

std::string settings_text(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) ? read_file(path, kFileBytes) : "";
}

std::string setting_key(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

const Field& find_setting(const Fields& fields, const std::string& key,
                          const std::string& listing) {
  std::vector<std::string> known;
  for (const Field& field : fields) {
    if (setting_key(field.name) == setting_key(key)) return field;
    known.push_back(setting_key(field.name));
  }
  fail(ErrorKind::kUserInput, "unknown setting '{}'.{} `{}` lists them", key,
       did_you_mean(setting_key(key), known), listing);
}

std::string edited_yaml(const std::string& text, const std::string& section, const Field& field) {
  std::vector<Line> lines = parse_lines(text);
  const std::string key = setting_key(field.name);
  size_t begin = 0, end = lines.size(), indent = 0;
  if (!section.empty()) {
    while (begin < lines.size() && !(lines[begin].indent == 0 && lines[begin].key == section))
      ++begin;
    if (begin == lines.size()) {
      lines.push_back(parse_line(section + ":"));
      lines.push_back(parse_line("  " + key + ": " + yaml_value(field)));
      return joined(lines);
    }
    end = end_of_value(lines, begin, lines.size());
    ++begin;
    indent = 2;
  }
  for (size_t at = begin; at < end; ++at)
    if (!lines[at].empty) {
      indent = lines[at].indent;
      break;
    }
  const std::string setting = std::string(indent, ' ') + key + ": " + yaml_value(field);
  for (size_t at = begin; at < end; ++at) {
    if (lines[at].key != key || lines[at].indent != indent) continue;
    lines[at] = parse_line(setting + trailing_comment(lines[at].text));
    lines.erase(lines.begin() + static_cast<long>(at) + 1,
                lines.begin() + static_cast<long>(end_of_value(lines, at, end)));
    return joined(lines);
  }
  lines.insert(lines.begin() + static_cast<long>(end), parse_line(setting));
  return joined(lines);
}

void write_setting(const fs::path& path, const std::string& section, const Field& field,
                   const Fields& read_back) {
  const std::string after = edited_yaml(settings_text(path), section, field);
  // Read back: a file that was written in some unusual way is better left alone.
  std::string complaint;
  try {
    read_yaml_text(after, shown_path(path), section, read_back);
  } catch (const Error& error) {
    complaint = error.what();
  }
  const auto same = std::find_if(read_back.begin(), read_back.end(),
                                 [&](const Field& one) { return one.name == field.name; });
  if (!complaint.empty() || same == read_back.end() ||
      fields_to_json({*same}) != fields_to_json({field}))
    fail(ErrorKind::kUserInput, "{}: cannot be changed in place; write `{}` there yourself{}",
         shown_path(path), setting_key(field.name),
         complaint.empty() ? "" : " (" + complaint + ")");
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  write_file_atomically(path, after);
}

}  // namespace toolkit
