#pragma once

#include <filesystem>
#include <vector>

#include "engine/trials/finetune_settings.h"
#include "projects/tune/trials.h"

namespace toolkit::tune {

using trials::Settings;

/// `trials.jsonl`: what the search is, in the first line, then a line for every round of a trial
/// that ended. Each is on the disk before the next round starts, so that kill -9 loses at most the
/// round in progress.
class TrialJournal {
 public:
  /// A new search. Throws Error(kUserInput) if one lies there already.
  static TrialJournal create(std::filesystem::path file, const Json& search);

  /// Goes on with the one that lies there: gives its trials; a last line that was cut off is
  /// dropped. Throws Error(kNotFound) if there is none, Error(kUserInput) naming what differs from
  /// `search`, or the line that is no trial of `space`.
  static TrialJournal resume(std::filesystem::path file, const Json& search,
                             const search::Space& space, std::vector<Trial>& trials);

  /// Appends the round that ended and waits until it is on the disk. Throws Error(kIo).
  void add(const Turn& turn, const Trial& trial, const Settings& settings);

 private:
  explicit TrialJournal(std::filesystem::path file) : file_(std::move(file)) {}
  std::filesystem::path file_;
};

}  // namespace toolkit::tune
