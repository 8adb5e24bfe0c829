#pragma once

#include <string>
#include <vector>

#include "core/data/data_set.h"
#include "core/data/sample_set.h"
#include "engine/language_model.h"
#include "projects/finetune/config.h"
#include "projects/finetune/memory_plan.h"

namespace toolkit::finetune {

/// All that is known of a run before a weight is read.
struct Prepared {
  Config config;  // "auto" settled, and changed where --memory-limit asks for it
  data::Splits splits;
  engine::OpenedModel opened;
  data::SampleSet train, valid;
  int truncated_rows = 0, unsupervised_rows = 0;
  MemoryChoice memory;
  bool open_rank = false;  // --rank auto: config.rank is the most it may be
  std::vector<std::string> notes_of_rows;
  std::vector<std::string> notes;  // what the user should know, one line each
};

/// Checks the settings, reads the rows, opens the model, makes tokens and plans the memory. Throws
/// Error(kUserInput | kNotFound | kOutOfMemory ...) with what would work. `quiet`: no progress.
Prepared prepare(const Config& config, bool quiet = true);

}  // namespace toolkit::finetune
