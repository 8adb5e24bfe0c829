#include "core/cli/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <sstream>

#include "core/cli/parse.h"

namespace toolkit::cli {

namespace {

constexpr int kLeftColumn = 30;  // width of "  -m, --model TEXT  "
constexpr size_t kShortChoices = 22;

std::string heading(const std::string& text, const HelpStyle& style) {
  return style.color ? "\x1b[1m" + text + "\x1b[0m\n" : text + "\n";
}

/// Words broken at `width`; every line after the first begins with `indent` blanks.
std::string wrapped(const std::string& text, int indent, int width) {
  std::istringstream words(text);
  std::string result, word;
  int column = indent;
  while (words >> word) {
    const int length = static_cast<int>(word.size());
    if (column > indent && column + 1 + length > width) {
      result += "\n" + std::string(static_cast<size_t>(indent), ' ');
      column = indent;
    } else if (column > indent) {
      result += ' ';
      ++column;
    }
    result += word;
    column += length;
  }
  return result;
}

std::string row(const std::string& left, const std::string& right, int column,
                const HelpStyle& style) {
  std::string text = "  " + left;
  if (right.empty()) return text + "\n";
  const int used = static_cast<int>(text.size());
  text += used + 2 <= column ? std::string(static_cast<size_t>(column - used), ' ')
                             : "\n" + std::string(static_cast<size_t>(column), ' ');
  return text + wrapped(right, column, style.width) + "\n";
}

std::string value_name(const Field& field) {
  const std::string joined = fmt::format("{}", fmt::join(field.choices, "|"));
  if (!field.choices.empty() && joined.size() <= kShortChoices) return joined;
  if (std::holds_alternative<int*>(field.target)) return field.automatic ? "N|auto" : "N";
  if (std::holds_alternative<double*>(field.target)) return "X";
  return std::holds_alternative<std::vector<std::string>*>(field.target) ? "A,B,..." : "TEXT";
}

/// "data-set" as "DATA-SET", the way places for words are written in a usage line.
std::string placeholder(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name;
}

std::string left_of(const Field& field) {
  if (field.positional) return placeholder(field.name);
  const std::string short_name = field.short_name.empty() ? "" : "-" + field.short_name + ", ";
  if (auto flag = std::get_if<bool*>(&field.target))
    return short_name + (**flag ? "--no-" : "--") + field.name;
  return short_name + "--" + field.name + " " + value_name(field);
}

std::string range_of(const Field& field) {
  const bool low = std::isfinite(field.minimum), high = std::isfinite(field.maximum);
  if (low && high) return fmt::format("{} to {}", field.minimum, field.maximum);
  if (low) return fmt::format("at least {}", field.minimum);
  return high ? fmt::format("at most {}", field.maximum) : "";
}

std::string default_of(const Field& field) {
  if (field.required) return "required";
  std::string text;
  if (auto value = std::get_if<bool*>(&field.target); value && **value) return "on by default";
  if (auto value = std::get_if<int*>(&field.target))
    text = field.automatic == **value ? "auto" : fmt::format("{}", **value);
  if (auto value = std::get_if<double*>(&field.target)) text = fmt::format("{}", **value);
  if (auto value = std::get_if<std::string*>(&field.target)) text = **value;
  if (auto value = std::get_if<std::vector<std::string>*>(&field.target))
    text = fmt::format("{}", fmt::join(**value, ","));
  return text.empty() ? "" : "default: " + text;
}

std::string right_of(const Field& field) {
  std::vector<std::string> notes;
  const std::string joined = fmt::format("{}", fmt::join(field.choices, "|"));
  const bool shown_left = !field.positional && joined.size() <= kShortChoices;
  if (!field.choices.empty() && !shown_left)
    notes.push_back(fmt::format("one of {}", fmt::join(field.choices, ", ")));
  if (const std::string range = range_of(field); !range.empty()) notes.push_back(range);
  if (const std::string value = default_of(field); !value.empty()) notes.push_back(value);
  return notes.empty() ? field.help : fmt::format("{} ({})", field.help, fmt::join(notes, "; "));
}

std::string field_groups(const Command& command, const HelpStyle& style) {
  std::vector<std::string> groups;
  for (const Field& field : command.fields) {
    const std::string group = field.positional ? "Arguments" : field.group;
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
  }
  std::string text;
  for (const std::string& group : groups) {
    text += "\n" + heading(group, style);
    for (const Field& field : command.fields)
      if ((field.positional ? "Arguments" : field.group) == group)
        text += row(left_of(field), right_of(field), kLeftColumn, style);
  }
  return text;
}

std::string global_rows(bool root, bool leaf, const HelpStyle& style) {
  std::string text = "\n" + heading("Everywhere", style);
  for (const GlobalOption& option : global_options()) {
    if ((option.root_only && !root) || (option.name == "config" && !leaf)) continue;
    std::string left = option.short_name.empty() ? "" : "-" + option.short_name + ", ";
    left += "--" + option.name + (option.value.empty() ? "" : " " + option.value);
    text += row(left, option.help, kLeftColumn, style);
  }
  return text;
}

std::string command_rows(const std::vector<Command>& commands, const HelpStyle& style) {
  size_t longest = 0;
  for (const Command& command : commands) longest = std::max(longest, command.name.size());
  std::string text = "\n" + heading("Commands", style);
  for (const Command& command : commands)
    text += row(command.name, command.summary, static_cast<int>(longest) + 5, style);
  return text;
}

/// Comments behind '#' are lined up; one that does not fit stands above its command.
std::string example_rows(const std::vector<std::string>& examples, const HelpStyle& style) {
  if (examples.empty()) return "";
  std::string text = "\n" + heading("Examples", style);
  for (const std::string& example : examples) {
    const size_t mark = example.find(" # ");
    if (static_cast<int>(example.size()) + 2 <= style.width || mark == std::string::npos) {
      text += "  " + example + "\n";
      continue;
    }
    const size_t end = example.find_last_not_of(' ', mark);
    text += "  " + example.substr(mark + 1) + "\n  " + example.substr(0, end + 1) + "\n";
  }
  return text;
}

std::string usage(const Program& program, const std::vector<std::string>& path,
                  const Command& command) {
  std::string text = "Usage: " + command_line(program, path);
  if (!command.subcommands.empty()) return text + " COMMAND [options]\n";
  for (const Field& field : command.fields) {
    if (!field.positional) continue;
    const bool list = std::holds_alternative<std::vector<std::string>*>(field.target);
    const std::string name = placeholder(field.name) + (list ? "..." : "");
    text += field.required ? " " + name : " [" + name + "]";
  }
  return text + " [options]\n";
}

}  // namespace

std::string program_help(const Program& program, const HelpStyle& style) {
  std::string text = heading(program.name + " " + program.version, style);
  text += wrapped(program.summary, 0, style.width) + "\n\n";
  text += "Usage: " + program.name + " COMMAND [options]\n";
  text += command_rows(program.commands, style) + global_rows(true, false, style);
  return text + fmt::format("\n`{} COMMAND --help` shows a command's settings and examples.\n",
                            program.name);
}

std::string command_help(const Program& program, const std::vector<std::string>& path,
                         const Command& command, const HelpStyle& style) {
  std::string text = heading(command_line(program, path), style);
  text += wrapped(command.summary, 0, style.width) + "\n\n";
  if (!command.description.empty()) text += wrapped(command.description, 0, style.width) + "\n\n";
  text += usage(program, path, command);
  if (!command.subcommands.empty()) text += command_rows(command.subcommands, style);
  text += field_groups(command, style) + global_rows(false, command.subcommands.empty(), style);
  return text + example_rows(command.examples, style);
}

}  // namespace toolkit::cli
