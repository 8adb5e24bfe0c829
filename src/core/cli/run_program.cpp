#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/cli/command.h"
#include "core/cli/completion.h"
#include "core/cli/help.h"
#include "core/cli/parse.h"

namespace toolkit::cli {

namespace {

constexpr int kInterrupted = 130;
constexpr int kUsage = 2;
constexpr int kFailure = 1;

bool colored(int file) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return ::isatty(file) != 0 && !(no_color && *no_color) &&
         !(terminal && std::string(terminal) == "dumb");
}

HelpStyle help_style() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60;
  return {.width = known ? std::min<int>(size.ws_col, 100) : 100, .color = colored(STDOUT_FILENO)};
}

void print(std::FILE* stream, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

void print_json(const nlohmann::json& value) {
  print(stdout, value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

/// The program with the commands that every program has.
Program with_completion(const Program& program, const std::shared_ptr<std::string>& shell) {
  Program whole = program;
  Command command{.name = "completion",
                  .summary = "print a completion script for bash, zsh or fish",
                  .examples = {"source <(" + program.name +
                                   " completion bash)  # this shell; zsh in the same way",
                               program.name + " completion fish > ~/.config/fish/completions/" +
                                   program.name + ".fish"},
                  .fields = {{.name = "shell",
                              .target = shell.get(),
                              .help = "which shell",
                              .choices = {"bash", "zsh", "fish"},
                              .required = true,
                              .positional = true}}};
  whole.commands.push_back(command);
  // The script knows `completion` too, hence the program as it is at the end.
  const Program described = whole;
  whole.commands.back().run = [described, shell](const Context& context) {
    const std::string script = completion_script(described, *shell);
    if (!context.json) print(stdout, script);
    return nlohmann::json{{"shell", *shell}, {"script", script}};
  };
  return whole;
}

/// "help finetune" is "finetune --help".
std::vector<std::string> words_of(int argc, char** argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (!words.empty() && words[0] == "help") {
    words.erase(words.begin());
    words.push_back("--help");
  }
  return words;
}

/// Cuts off and returns what stands behind "--", if a command that takes it is named before.
std::vector<std::string> cut_rest(const std::vector<Command>& commands,
                                  std::vector<std::string>& words) {
  const auto dashes = std::find(words.begin(), words.end(), "--");
  const bool taken = std::any_of(commands.begin(), commands.end(), [&](const Command& command) {
    return command.takes_rest && std::find(words.begin(), dashes, command.name) != dashes;
  });
  if (dashes == words.end() || !taken) return {};
  std::vector<std::string> rest(dashes + 1, words.end());
  words.erase(dashes, words.end());
  return rest;
}

/// The commands that the words name, as far as they are known: for "See `... --help`".
std::vector<std::string> named_path(const std::vector<Command>& commands,
                                    const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    for (const Command& command : commands) {
      if (command.name != word) continue;
      std::vector<std::string> path{word};
      const std::vector<std::string> rest = named_path(command.subcommands, words);
      path.insert(path.end(), rest.begin(), rest.end());
      return path;
    }
  }
  return {};
}

void fill_fields(const Parsed& parsed) {
  const Fields& fields = parsed.command->fields;
  std::vector<std::string> given;
  for (const Field& field : fields) {
    const auto found = parsed.values.find(field.name);
    if (found == parsed.values.end()) continue;
    set_field(field, found->second, field.positional ? field.name : "--" + field.name);
    given.push_back(field.name);
  }
  if (!parsed.config.empty()) read_yaml(expanded_path(parsed.config).string(), fields, given);
  check_fields(fields);
}

int run_command(const Program& program, const Parsed& parsed, std::vector<std::string> rest) {
  start_log(program.name, log_level_from_name(parsed.log_level));
  log_info("{} {} starts: {} {}", program.name, program.version, command_line(program, parsed.path),
           fields_to_json(parsed.command->fields));
  Context context{
      .json = parsed.json, .quiet = parsed.quiet || parsed.json, .color = colored(STDOUT_FILENO)};
  for (const auto& [name, texts] : parsed.values) context.given.push_back(name);
  context.rest = std::move(rest);
  const nlohmann::json result = parsed.command->run(context);
  if (parsed.json && !result.is_null()) print_json(result);
  log_info("{} ends", command_line(program, parsed.path));
  if (InterruptGuard::requested()) return kInterrupted;
  if (const auto code = result.find("exit_code"); code != result.end()) return *code;
  const auto ok = result.find("ok");
  return ok != result.end() && *ok == false ? kFailure : 0;
}

/// What a program that starts this one may want to know of a command's settings.
nlohmann::json described_fields(const Command& command) {
  constexpr const char* kTypes[] = {"flag", "integer", "number", "text", "list"};
  const auto values = nlohmann::json::parse(fields_to_json(command.fields));
  nlohmann::json list = nlohmann::json::array();
  for (const Field& field : command.fields) {
    std::string key = field.name;
    std::replace(key.begin(), key.end(), '-', '_');
    nlohmann::json one = {
        {"name", field.name},         {"type", kTypes[field.target.index()]},
        {"help", field.help},         {"group", field.group},
        {"required", field.required}, {"default", values.value(key, nlohmann::json())},
        {"choices", field.choices}};
    if (field.automatic) one["automatic"] = true;
    if (std::isfinite(field.minimum)) one["minimum"] = field.minimum;
    if (std::isfinite(field.maximum)) one["maximum"] = field.maximum;
    list.push_back(std::move(one));
  }
  return list;
}

int show_help(const Program& program, const Parsed& parsed) {
  const std::string text = parsed.command
                               ? command_help(program, parsed.path, *parsed.command, help_style())
                               : program_help(program, help_style());
  if (parsed.json && parsed.help) {
    nlohmann::json json = {{"help", text}};
    if (parsed.command && !parsed.command->fields.empty())
      json["fields"] = described_fields(*parsed.command);
    print_json(json);
    return 0;
  }
  print(parsed.help ? stdout : stderr, text);
  return parsed.help ? 0 : kUsage;
}

/// What went wrong, whoever threw it.
struct Failure {
  ErrorKind kind;
  std::string message;
};

Failure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  } catch (const std::bad_alloc&) {
    return {ErrorKind::kOutOfMemory,
            "out of memory. Close other programs or choose smaller settings"};
  } catch (const std::filesystem::filesystem_error& error) {
    return {ErrorKind::kIo, error.path1().string() + ": " + error.code().message()};
  } catch (const std::exception& error) {
    // MLX reports a failed allocation as a plain runtime_error.
    if (std::string(error.what()).find("[malloc") != std::string::npos)
      return {ErrorKind::kOutOfMemory, std::string(error.what()) + " Choose smaller settings"};
    return {ErrorKind::kInternal, error.what()};
  } catch (...) {
    return {ErrorKind::kInternal, "an unknown exception"};
  }
}

void report(const Program& program, const Failure& failure, bool json) {
  log_error("{}: {}", error_kind_name(failure.kind), failure.message);
  if (json) {
    print_json(
        {{"error", {{"kind", error_kind_name(failure.kind)}, {"message", failure.message}}}});
    return;
  }
  std::string text =
      (colored(STDERR_FILENO) ? "\x1b[1;31merror:\x1b[0m " : "error: ") + failure.message + "\n";
  if (failure.kind == ErrorKind::kInternal) {
    text += "This is a bug in " + program.name + ". Please report it with the command you ran";
    text += log_file().empty() ? ".\n" : " and " + shown_path(log_file()) + ".\n";
  }
  print(stderr, text);
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
  const auto shell = std::make_shared<std::string>();
  const Program whole = with_completion(program, shell);
  std::vector<std::string> words = words_of(argc, argv);
  const std::vector<std::string> rest = cut_rest(whole.commands, words);
  // Known before parsing, so that a usage error is JSON too.
  bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  const EndOnInterrupt end(
      json ? "{\"error\":{\"kind\":\"interrupted\",\"message\":\"interrupted\"}}\n" : "");
  bool usage = true;  // until the command's settings are complete
  try {
    const Parsed parsed = parse(whole, words);
    json = parsed.json;
    if (parsed.version) {
      if (json)
        print_json({{"name", whole.name}, {"version", whole.version}});
      else
        print(stdout, whole.name + " " + whole.version + "\n");
      return 0;
    }
    const bool incomplete = !parsed.command || !parsed.command->subcommands.empty();
    if (incomplete && json && !parsed.help)
      fail(ErrorKind::kUserInput, "name a command: `{} --help` lists them",
           command_line(whole, parsed.path));
    if (parsed.help || incomplete) return show_help(whole, parsed);
    fill_fields(parsed);
    usage = false;
    return run_command(whole, parsed, rest);
  } catch (...) {
    const Failure failure = current_failure();
    report(whole, failure, json);
    if (usage && !json)
      print(stderr,
            "See `" + command_line(whole, named_path(whole.commands, words)) + " --help`.\n");
    return InterruptGuard::requested() ? kInterrupted : exit_code(failure.kind);
  }
}

}  // namespace toolkit::cli
