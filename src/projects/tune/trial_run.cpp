#include "projects/tune/trial_run.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <system_error>
#include <thread>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/subprocess.h"
#include "core/report/run_log.h"

namespace toolkit::tune {

namespace {

namespace fs = std::filesystem;

Json last_object(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t start = text.rfind('\n');
  return Json::parse(start == std::string::npos ? text : text.substr(start + 1), nullptr, false);
}

/// The id that the run wrote down for itself.
std::string run_id(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / "run.json", ignored)) return "";
  const Json run = Json::parse(read_file(folder / "run.json"), nullptr, false);
  return run.is_object() && run.contains("id") && run["id"].is_string()
             ? run["id"].get<std::string>()
             : "";
}

double number(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : std::nan("");
}

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

Result to_result(int status, const Json& output, const fs::path& folder, const fs::path& log) {
  Result result{.run = run_id(folder)};
  if (status != 0 || !output.is_object() || output.contains("error")) {
    result.error = reason(status, output, log);
    return result;
  }
  result.loss = number(output, "validation_loss_after");
  result.loss_before = number(output, "validation_loss_before");
  const double peak = number(output, "peak_rss_bytes");
  result.peak_bytes = std::isfinite(peak) ? peak : 0;
  if (std::isfinite(result.loss)) return result;
  const double rows = number(output, "valid_rows");
  result.error = rows == 0 ? "no validation rows: the data needs a valid.jsonl"
                           : "diverged: the validation loss is not a number";
  return result;
}

}  // namespace

Result run_trial(const TrialRun& trial, const Json& finetune_fields, bool& interrupted) {
  std::error_code error;
  fs::remove_all(trial.folder, error);
  fs::create_directories(trial.folder, error);
  const fs::path settings = trial.folder / "trial.yaml", output = trial.folder / "finetune.json",
                 log = trial.folder / "finetune.log";
  write_file_atomically(settings, to_yaml(trial.settings, finetune_fields));
  const auto begin = std::chrono::steady_clock::now();
  Subprocess child =
      Subprocess::start({trial.program, "finetune", "--config", settings.string(), "--json"},
                        {.output = output,
                         .log = log,
                         .environment = {{report::kParentVariable, trial.parent}},
                         .own_group = true,
                         .ends_with_parent = true});
  interrupted = false;
  std::optional<int> status;
  while (!(status = child.poll())) {
    if (InterruptGuard::requested() && !interrupted) {
      interrupted = true;
      child.interrupt();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  interrupted = interrupted || InterruptGuard::requested();
  Result result = to_result(*status, last_object(read_file(output)), trial.folder, log);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

void remove_weights(const fs::path& folder) {
  std::error_code ignored;
  fs::directory_iterator entries(folder, ignored);
  if (ignored) return;
  for (const fs::directory_entry& entry : entries) {
    if (entry.path().extension() == ".safetensors") fs::remove(entry.path(), ignored);
  }
}

}  // namespace toolkit::tune
