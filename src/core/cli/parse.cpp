#include "core/cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>

#include "core/base/error.h"
#include "core/base/nearest.h"

namespace toolkit::cli {

namespace {

/// Where CLI11 puts what it finds for one field.
struct Slot {
  std::vector<std::string> path;
  const Field* field;
  CLI::Option* value = nullptr;
  CLI::Option* negated = nullptr;  // --no-x of a flag
};

struct Binding {
  CLI::App app;
  std::deque<Slot> slots;
  bool json = false, quiet = false, help = false, version = false;
  std::string config, log_level = "info";
};

bool is_flag(const Field& field) {
  return std::holds_alternative<bool*>(field.target);
}

bool is_list(const Field& field) {
  return std::holds_alternative<std::vector<std::string>*>(field.target);
}

void add_field(CLI::App& app, Slot& slot) {
  const Field& field = *slot.field;
  const auto keep = [](const CLI::results_t&) { return true; };  // read from the option afterwards
  if (is_flag(field)) {
    const std::string short_name = field.short_name.empty() ? "" : "-" + field.short_name + ",";
    slot.value = app.add_flag(short_name + "--" + field.name);
    slot.negated = app.add_flag("--no-" + field.name);
    return;
  }
  std::string names = field.positional ? field.name : "--" + field.name;
  if (!field.positional && !field.short_name.empty()) names = "-" + field.short_name + "," + names;
  slot.value = app.add_option(names, keep);
  if (field.positional && is_list(field))
    slot.value->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args();
  else
    slot.value->expected(1);
  slot.value->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_globals(CLI::App& app, Binding& binding, bool root, bool leaf) {
  app.set_help_flag();
  app.add_flag("-h,--help", binding.help);
  app.add_flag("--json", binding.json);
  app.add_flag("-q,--quiet", binding.quiet);
  app.add_option("--log-level", binding.log_level)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  if (root) app.add_flag("--version", binding.version);
  if (leaf) app.add_option("--config", binding.config);
}

void add_command(CLI::App& parent, const Command& command, std::vector<std::string> path,
                 Binding& binding) {
  CLI::App& app = *parent.add_subcommand(command.name);
  path.push_back(command.name);
  app.allow_extras();
  add_globals(app, binding, false, command.subcommands.empty());
  for (const Field& field : command.fields) {
    Slot& slot = binding.slots.emplace_back(Slot{.path = path, .field = &field});
    add_field(app, slot);
  }
  for (const Command& child : command.subcommands) add_command(app, child, path, binding);
}

void find_command(const CLI::App& app, const std::vector<Command>& commands, Parsed& parsed) {
  for (const Command& command : commands) {
    if (!app.got_subcommand(command.name)) continue;
    parsed.command = &command;
    parsed.path.push_back(command.name);
    find_command(*app.get_subcommand(command.name), command.subcommands, parsed);
    return;
  }
}

[[noreturn]] void refuse_option(const std::string& word, const Command* command) {
  std::vector<std::string> known;
  for (const GlobalOption& option : global_options()) known.push_back("--" + option.name);
  if (command) {
    for (const Field& field : command->fields)
      if (!field.positional) known.push_back("--" + field.name);
  }
  const std::string name = word.substr(0, word.find('='));
  fail(ErrorKind::kUserInput, "unknown option '{}'.{}", name, did_you_mean(name, known));
}

void refuse_leftover(const std::string& word, const Program& program, const Parsed& parsed) {
  if (word.starts_with("-") && word.size() > 1) refuse_option(word, parsed.command);
  const std::vector<Command>& commands =
      parsed.command ? parsed.command->subcommands : program.commands;
  if (commands.empty()) fail(ErrorKind::kUserInput, "surplus argument '{}'", word);
  std::vector<std::string> names;
  for (const Command& command : commands) names.push_back(command.name);
  fail(ErrorKind::kUserInput, "unknown command '{}'.{}", word, did_you_mean(word, names));
}

void take_values(const Binding& binding, Parsed& parsed) {
  for (const Slot& slot : binding.slots) {
    if (slot.path != parsed.path) continue;
    const bool negated = slot.negated && slot.negated->count() > 0;
    if (slot.value->count() == 0 && !negated) continue;
    std::vector<std::string>& texts = parsed.values[slot.field->name];
    if (is_flag(*slot.field))
      texts = {negated ? "false" : slot.value->results().back()};  // --flag=false is a value
    else
      texts = slot.value->results();
  }
}

/// CLI11's message in our words.
[[noreturn]] void refuse(const CLI::ParseError& error) {
  const std::string message = error.what();
  const std::string name = message.substr(0, message.find(':'));
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) && name.starts_with("-"))
    fail(ErrorKind::kUserInput, "option {} needs a value", name);
  fail(ErrorKind::kUserInput, "{}", message);
}

}  // namespace

Parsed parse(const Program& program, const std::vector<std::string>& arguments) {
  Binding binding;
  binding.app.allow_extras();
  add_globals(binding.app, binding, true, false);
  for (const Command& command : program.commands) add_command(binding.app, command, {}, binding);
  std::vector<std::string> backwards(arguments.rbegin(), arguments.rend());
  try {
    binding.app.parse(backwards);
  } catch (const CLI::ParseError& error) {
    refuse(error);
  }
  Parsed parsed{.config = binding.config,
                .log_level = binding.log_level,
                .json = binding.json,
                .quiet = binding.quiet,
                .help = binding.help,
                .version = binding.version};
  find_command(binding.app, program.commands, parsed);
  const std::vector<std::string> leftovers = binding.app.remaining(true);
  if (!leftovers.empty()) refuse_leftover(leftovers.front(), program, parsed);
  take_values(binding, parsed);
  return parsed;
}

std::string command_line(const Program& program, const std::vector<std::string>& path) {
  std::string text = program.name;
  for (const std::string& name : path) text += " " + name;
  return text;
}

const std::vector<GlobalOption>& global_options() {
  static const std::vector<GlobalOption> options{
      {"config", "", "FILE.yaml", "read settings from a file; the command line wins"},
      {"json", "", "", "print the result as one JSON object, the last line of stdout"},
      {"quiet", "q", "", "no progress, no tables"},
      {"log-level", "", "LEVEL",
       "debug, info, warning, error or off, for the log file (default: info)"},
      {"help", "h", "", "show this page"},
      {"version", "", "", "show the version", true}};
  return options;
}

}  // namespace toolkit::cli
