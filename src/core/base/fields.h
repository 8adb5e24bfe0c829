#pragma once

#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace toolkit {

/// One setting of a command: its name, where its value lives, and what may stand in it.
struct Field {
  using Target = std::variant<bool*, int*, double*, std::string*, std::vector<std::string>*>;

  std::string name;  // "learning-rate": the flag --learning-rate and the YAML key learning_rate
  Target target;
  std::string help;
  std::string group = "Options";  // heading in the help page
  std::string short_name;         // "m" for -m, or empty
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices;  // empty: anything
  bool required = false;
  bool positional = false;
  /// Of a whole number: the value that stands for the word "auto", outside the range.
  std::optional<int> automatic = std::nullopt;
};

/// The settings of one command, in the order people read them. Every project's config has
/// `Fields describe(Config&)`; the command line, the YAML file and the web form are all made from
/// it.
using Fields = std::vector<Field>;

/// Sets a field from text, as it stands on a command line or in a file: the last text counts, a
/// list takes all of them and splits them at commas. Throws Error(kUserInput) "where: expected ...,
/// found ...".
void set_field(const Field& field, const std::vector<std::string>& texts, const std::string& where);

/// Checks every value against its range and choices, and that a required text or list is there.
/// Throws Error(kUserInput) naming the field, what is allowed and what was given.
void check_fields(const Fields& fields);

/// Reads a YAML mapping into the fields; keys may use '-' or '_'. A key given in `already_set`
/// (names from the command line) keeps its value. Throws Error(kUserInput) with file and line for
/// an unknown key (naming the nearest known one) or a value of the wrong type.
void read_yaml(const std::string& path, const Fields& fields,
               const std::vector<std::string>& already_set);

/// The values as one JSON object in text, keys with '_' (what run.json records).
std::string fields_to_json(const Fields& fields);

}  // namespace toolkit
