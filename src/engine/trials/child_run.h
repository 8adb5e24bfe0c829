#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace toolkit::trials {

/// A command of this program that runs in a process of its own: one that fails, diverges or runs
/// out of memory ends alone.
struct ChildRun {
  std::string program;                 // mlx-toolkit
  std::vector<std::string> arguments;  // "finetune", "--config", ...; --json is added
  std::filesystem::path folder;        // for `<command>.json` and `<command>.log`; is there already
  std::string parent;                  // id of the run that starts it
  double limit_seconds = 0;            // after that it is asked to end; 0: no limit
};

struct ChildResult {
  Json output;               // the object that --json printed; null if none came
  std::string error;         // why it failed, in one line; "" if it did not
  double seconds = 0;        // from start to end, loading included
  bool interrupted = false;  // Ctrl-C: it was asked to end and `output` is not a result
  bool timed_out = false;    // it reached limit_seconds; `output` says how far it came
};

/// Waits for it. On Ctrl-C the child is asked to end. It ends by itself when this process is
/// killed.
ChildResult run_child(const ChildRun& child);

/// The id that a run wrote into `folder` for itself, "" if none.
std::string run_id(const std::filesystem::path& folder);

/// A number of the object, NaN if it is not there or no number.
double number_in(const Json& object, const char* name);

/// Why a child's validation loss, NaN, is none: "" if it is a number.
std::string loss_fault(const Json& output);

/// Removes the weights a run left in its folder; its record and plots stay.
void remove_weights(const std::filesystem::path& folder);

}  // namespace toolkit::trials
