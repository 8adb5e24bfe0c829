#include "engine/trials/child_run.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/subprocess.h"
#include "core/report/run_log.h"

namespace toolkit::trials {

namespace {

namespace fs = std::filesystem;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string reason(int status, const Json& output, const fs::path& log) {
  if (output.is_object() && output.contains("error")) {
    const Json& error = output["error"];
    if (error.is_object() && error.contains("message") && error["message"].is_string())
      return first_line(error["message"].get<std::string>());
  }
  if (status == 128 + 9) return "killed by the system (signal 9): most likely out of memory";
  if (status > 128) return fmt::format("ended by signal {}", status - 128);
  return fmt::format("ended with status {} and no result; see {}", status, log.string());
}

}  // namespace

ChildResult run_child(const ChildRun& child) {
  const std::string& name = child.arguments.front();
  const fs::path output = child.folder / (name + ".json"), log = child.folder / (name + ".log");
  std::vector<std::string> argv = {child.program};
  argv.insert(argv.end(), child.arguments.begin(), child.arguments.end());
  argv.emplace_back("--json");
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  Subprocess process =
      Subprocess::start(argv, {.output = output,
                               .log = log,
                               .environment = {{report::kParentVariable, child.parent}},
                               .own_group = true,
                               .ends_with_parent = true});
  ChildResult result;
  const SubprocessEnd end = wait_passing_interrupts(process, child.limit_seconds);
  result.interrupted = end.interrupted;
  result.timed_out = end.timed_out;
  result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const Json object = last_json_line(read_file(output));
  if (result.timed_out && object.is_object() && !object.contains("error"))
    result.output = object;
  else if (end.status != 0 || !object.is_object() || object.contains("error"))
    result.error = reason(end.status, object, log);
  else
    result.output = object;
  return result;
}

std::string run_id(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / "run.json", ignored)) return "";
  const Json run = Json::parse(read_file(folder / "run.json"), nullptr, false);
  return run.is_object() && run.contains("id") && run["id"].is_string()
             ? run["id"].get<std::string>()
             : "";
}

double number_in(const Json& object, const char* name) {
  if (!object.is_object()) return std::nan("");
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : std::nan("");
}

std::string loss_fault(const Json& output) {
  if (std::isfinite(number_in(output, "validation_loss_after"))) return "";
  return number_in(output, "valid_rows") == 0 ? "no validation rows: the data needs a valid.jsonl"
                                              : "diverged: the validation loss is not a number";
}

void remove_weights(const fs::path& folder) {
  std::error_code ignored;
  fs::directory_iterator entries(folder, ignored);
  if (ignored) return;
  for (const fs::directory_entry& entry : entries) {
    if (entry.path().extension() == ".safetensors") fs::remove(entry.path(), ignored);
  }
  fs::remove_all(folder / "model", ignored);  // of --method full
}

}  // namespace toolkit::trials
