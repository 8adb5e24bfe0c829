#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/trials/finetune_settings.h"
#include "projects/compare/config.h"
#include "projects/compare/constraints.h"

namespace toolkit::compare {

using trials::Settings;

/// What every method's run is given.
struct Bench {
  std::string program;
  Json fields;  // of finetune
  Constraints constraints;
  std::vector<std::string> evaluate_arguments;  // model, data, tasks
  std::string parent;                           // id of the comparing run
};

/// Trains with one method and judges what it wrote, each in a process of its own, and writes
/// `measured.json` into the folder at the end: a method that was cut off before has none and is
/// measured anew, since half a run has no time and no peak. What cannot fit the memory constraint
/// (finetune's plan says so) is skipped; what outlasts the time constraint is stopped. False on
/// Ctrl-C.
///   settings   of finetune, complete but for the output
bool measure_method(const Bench& bench, const std::string& method, const Settings& settings,
                    const std::filesystem::path& folder);

/// Judges the model as it is, in the same words.
bool measure_base(const Bench& bench, const std::filesystem::path& folder);

}  // namespace toolkit::compare
