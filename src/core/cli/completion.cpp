#include "core/cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/cli/parse.h"

namespace toolkit::cli {

namespace {

/// What may follow one command path.
struct Place {
  std::string path;  // "", "data", "data check"
  std::vector<const Command*> children;
  const Command* command = nullptr;
};

void collect(const std::vector<Command>& commands, const std::string& path,
             std::vector<Place>& places) {
  for (const Command& command : commands) {
    Place place{.path = path.empty() ? command.name : path + " " + command.name,
                .command = &command};
    for (const Command& child : command.subcommands) place.children.push_back(&child);
    places.push_back(place);
    collect(command.subcommands, places.back().path, places);
  }
}

std::vector<Place> all_places(const Program& program) {
  std::vector<Place> places(1);
  for (const Command& command : program.commands) places[0].children.push_back(&command);
  collect(program.commands, "", places);
  return places;
}

/// A flag that is on by default is offered as what turns it off.
std::string option_of(const Field& field) {
  const auto flag = std::get_if<bool*>(&field.target);
  return flag && **flag ? "no-" + field.name : field.name;
}

bool takes_any_value(const Field& field) {
  return field.choices.empty() && !std::holds_alternative<bool*>(field.target);
}

std::vector<std::string> words_at(const Place& place) {
  std::vector<std::string> words;
  for (const Command* child : place.children) words.push_back(child->name);
  const Fields none;
  const Fields& fields = place.command ? place.command->fields : none;
  for (const Field& field : fields)
    if (field.positional) words.insert(words.end(), field.choices.begin(), field.choices.end());
  for (const Field& field : fields)
    if (!field.positional) words.push_back("--" + option_of(field));
  for (const GlobalOption& option : global_options())
    if (!option.root_only || !place.command) words.push_back("--" + option.name);
  return words;
}

std::string function_name(const Program& program) {
  std::string name = "_" + program.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

/// Shell text in single quotes.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

/// "      'subject') variable='value' ;;": one line of a shell's `case`.
std::string case_line(const std::string& subject, const char* variable, const std::string& value) {
  return fmt::format("      {}) {}={} ;;\n", quoted(subject), variable, quoted(value));
}

/// path + word -> longer path.
std::string path_cases(const std::vector<Place>& places, const char* variable) {
  std::string text;
  for (const Place& place : places)
    for (const Command* child : place.children)
      text += case_line(place.path + ":" + child->name, variable,
                        place.path.empty() ? child->name : place.path + " " + child->name);
  return text;
}

/// path + option before the cursor -> the option's choices.
std::string choice_cases(const std::vector<Place>& places, const char* variable) {
  std::string text;
  for (const Place& place : places) {
    if (!place.command) continue;
    for (const Field& field : place.command->fields)
      if (!field.positional && !field.choices.empty())
        text += case_line(place.path + ":--" + field.name, variable,
                          fmt::format("{}", fmt::join(field.choices, " ")));
  }
  return text;
}

/// path -> commands and options that may follow.
std::string word_cases(const std::vector<Place>& places, const char* variable) {
  std::string text;
  for (const Place& place : places)
    text += case_line(place.path, variable, fmt::format("{}", fmt::join(words_at(place), " ")));
  return text;
}

/// path + option whose value is a file or anything else -> `action`.
std::string value_cases(const std::vector<Place>& places, const std::string& action) {
  std::vector<std::string> patterns{"*':--config'"};
  for (const Place& place : places) {
    if (!place.command) continue;
    for (const Field& field : place.command->fields) {
      if (field.positional || !takes_any_value(field)) continue;
      patterns.push_back(quoted(place.path + ":--" + field.name));
      if (!field.short_name.empty())
        patterns.push_back(quoted(place.path + ":-" + field.short_name));
    }
  }
  return fmt::format("      {}) {} ;;\n", fmt::join(patterns, "|"), action);
}

/// The paths after which a file or the like is expected, as one pattern.
std::string file_places(const std::vector<Place>& places) {
  std::vector<std::string> patterns;
  for (const Place& place : places) {
    if (!place.command) continue;
    const Fields& fields = place.command->fields;
    if (std::any_of(fields.begin(), fields.end(),
                    [](const Field& f) { return f.positional && takes_any_value(f); }))
      patterns.push_back(quoted(place.path));
  }
  return patterns.empty() ? "''" : fmt::format("{}", fmt::join(patterns, "|"));
}

/// What bash and zsh have in common: looks at `place`, `previous` and `current`, sets `offered`;
/// runs `files` where a file name is expected.
std::string choosing(const std::vector<Place>& places, const std::string& files) {
  return fmt::format(
      R"(  case "$place:$previous" in
      *':--log-level') offered='debug info warning error off' ;;
{0}{1}      *)
        case "$place" in
        {2}) [[ $current == -* ]] || {{ {3}; }} ;;
        esac
        case "$place" in
{4}        esac ;;
  esac
  # Options only where one is begun or nothing else may stand.
  [[ $current == -* || -z ${{offered%%--*}} ]] || offered=${{offered%%--*}}
)",
      value_cases(places, files), choice_cases(places, "offered"), file_places(places), files,
      word_cases(places, "offered"));
}

std::string bash_script(const Program& program) {
  const std::vector<Place> places = all_places(program);
  return fmt::format(
      R"(# bash completion of {0}. Load it with:  source <({0} completion bash)
{1}() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  local place='' offered='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place:${{COMP_WORDS[i]}}" in
{2}    esac
  done
{3}  COMPREPLY=($(compgen -W "$offered" -- "$current"))
}}
complete -o default -F {1} {0}
)",
      program.name, function_name(program), path_cases(places, "place"),
      choosing(places, "return 0"));
}

/// `path` is a special array in zsh, hence `place`.
std::string zsh_script(const Program& program) {
  const std::vector<Place> places = all_places(program);
  return fmt::format(
      R"(#compdef {0}
# zsh completion of {0}. Load it with:  source <({0} completion zsh)
{1}() {{
  local current="${{words[CURRENT]}}" previous="${{words[CURRENT-1]}}" place='' offered='' i
  for ((i = 2; i < CURRENT; i++)); do
    case "$place:${{words[i]}}" in
{2}    esac
  done
{3}  compadd -- ${{=offered}}
}}
(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit; }}
compdef {1} {0}
)",
      program.name, function_name(program), path_cases(places, "place"),
      choosing(places, "_files; return"));
}

/// The condition under which fish offers what may follow `place`.
std::string fish_condition(const Place& place) {
  if (place.path.empty()) return "__fish_use_subcommand";
  std::string condition =
      "__fish_seen_subcommand_from " + place.path.substr(place.path.rfind(' ') + 1);
  for (size_t at = place.path.find(' '); at != std::string::npos; at = place.path.find(' ', at + 1))
    condition += "; and __fish_seen_subcommand_from " + place.path.substr(0, at);
  return condition;
}

std::string fish_script(const Program& program) {
  std::string text = fmt::format(
      "# fish completion of {0}. Load it with:  {0} completion fish | source\n", program.name);
  for (const Place& place : all_places(program)) {
    const std::string start =
        fmt::format("complete -c {} -n {}", program.name, quoted(fish_condition(place)));
    for (const Command* child : place.children)
      text += fmt::format("{} -f -a {} -d {}\n", start, child->name, quoted(child->summary));
    if (place.command) {
      for (const Field& field : place.command->fields) {
        std::string choices = takes_any_value(field) ? " -r" : "";
        if (!field.choices.empty())
          choices = " -x -a " + quoted(fmt::format("{}", fmt::join(field.choices, " ")));
        if (field.positional)
          text += field.choices.empty() ? "" : start + choices + "\n";
        else
          text += fmt::format("{} -l {}{} -d {}\n", start, option_of(field), choices,
                              quoted(field.help));
      }
    }
  }
  for (const GlobalOption& option : global_options())
    text +=
        fmt::format("complete -c {} -l {} -d {}\n", program.name, option.name, quoted(option.help));
  return text;
}

}  // namespace

std::string completion_script(const Program& program, const std::string& shell) {
  if (shell == "bash") return bash_script(program);
  if (shell == "zsh") return zsh_script(program);
  if (shell == "fish") return fish_script(program);
  fail(ErrorKind::kUserInput, "expected bash, zsh or fish, found '{}'", shell);
}

}  // namespace toolkit::cli
