#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/paths.h"
#include "projects/generate/command.h"
#include "projects/generate/config.h"
#include "projects/generate/conversation.h"
#include "projects/generate/figures.h"
#include "projects/generate/line_input.h"

namespace toolkit::generate {

namespace {

constexpr const char* kHelp =
    "  /reset        start over\n"
    "  /system TEXT  start over with this system message\n"
    "  /save FILE    write the conversation as a JSONL row that finetune reads\n"
    "  /help         this list\n"
    "  /quit         end (Ctrl-D too); Ctrl-C ends an answer\n";

/// The part of chat that talks with a terminal or a pipe.
class ChatLoop {
 public:
  ChatLoop(const engine::LanguageModel& model, const ChatConfig& config,
           const cli::Context& context)
      : conversation_(model, config), context_(context), input_(STDIN_FILENO) {
    interactive_ = !context.json && ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0;
  }

  nlohmann::json run() {
    if (interactive_) say("Say something; /help lists the commands.\n");
    std::string line;
    while (true) {
      if (interactive_) prompt();
      const LineInput::Event event = input_.next(line);
      if (event == LineInput::Event::kEnd) break;
      if (event == LineInput::Event::kInterrupted) {
        if (!InterruptGuard::requested()) continue;
        if (!interactive_) break;  // a pipe's Ctrl-C ends the program
        InterruptGuard::clear();
        say("\n(/quit or Ctrl-D ends)\n");
        continue;
      }
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      if (line.front() == '/') {
        if (!command(line)) break;
      } else if (!turn(line)) {
        break;
      }
    }
    if (interactive_) say("\n");
    nlohmann::json messages = nlohmann::json::array();
    for (const text::Message& message : conversation_.messages())
      messages.push_back({{"role", message.role}, {"content", message.content}});
    return {{"turns", turns_}, {"messages", messages}};
  }

 private:
  void say(const std::string& text) const {
    if (context_.json) return;
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }
  void note(const std::string& text) const {
    if (!context_.quiet) fmt::print(stderr, "{}\n", text);
  }
  void prompt() const { say(context_.color ? "\x1b[1;36m> \x1b[0m" : "> "); }

  bool turn(const std::string& text) {  // false: the program is to end
    const Conversation::Answer answer = conversation_.ask(
        text, [this](std::string_view piece) { say(std::string(piece)); },
        InterruptGuard::requested);
    say("\n");
    if (answer.dropped_messages > 0)
      note(fmt::format("(the {} oldest messages were dropped: the model's context is full)",
                       answer.dropped_messages));
    if (interactive_)
      note((context_.color ? "\x1b[2m" : "") + figures_line(answer.result) +
           (context_.color ? "\x1b[0m" : ""));
    nlohmann::json figures = figures_json(answer.result);
    figures["user"] = text;
    figures["assistant"] = answer.result.text;
    turns_.push_back(std::move(figures));
    if (answer.result.reason != engine::StopReason::kInterrupted) return true;
    if (!interactive_) return false;
    InterruptGuard::clear();
    return true;
  }

  bool command(const std::string& line) {  // false: /quit
    const size_t space = line.find(' ');
    const std::string name = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (name == "/quit" || name == "/exit") return false;
    if (name == "/reset") {
      conversation_.reset();
      note("(started over)");
    } else if (name == "/system") {
      conversation_.set_system(rest);
      note(rest.empty() ? "(no system message; started over)"
                        : "(new system message; started over)");
    } else if (name == "/save") {
      save(rest);
    } else if (name == "/help") {
      say(kHelp);
    } else {
      note(fmt::format("there is no command {}; /help lists them", name));
    }
    return true;
  }

  void save(const std::string& file) const {
    if (file.empty()) return note("/save needs a file name");
    try {
      write_file_atomically(expanded_path(file), conversation_.to_row());
      note(fmt::format("(written to {})", file));
    } catch (const Error& error) {  // a full disk should not end the conversation
      note(error.what());
    }
  }

  Conversation conversation_;
  const cli::Context& context_;
  LineInput input_;
  bool interactive_ = false;
  nlohmann::json turns_ = nlohmann::json::array();
};

}  // namespace

cli::Command chat_command() {
  const auto config = std::make_shared<ChatConfig>();
  return {.name = "chat",
          .summary = "talk with a model in the terminal",
          .description =
              "Keeps the conversation until /reset; only what is new is read by the model. "
              "Ctrl-C ends an answer, Ctrl-D the program. Over a pipe every line is a turn.",
          .examples =
              {"mlx-toolkit chat -m sample://smollm2-135m",
               "mlx-toolkit chat -m ./Qwen3-0.6B --adapter my-adapter --system 'Answer briefly.'",
               "printf 'Hello!\\nAnd in French?\\n' | mlx-toolkit chat -m sample://smollm2-135m "
               "--json"},
          .fields = describe(*config),
          .run = [config](const cli::Context& context) {
            const engine::LanguageModel model = load_model(config->model);
            const InterruptGuard guard;
            return ChatLoop(model, *config, context).run();
          }};
}

}  // namespace toolkit::generate
