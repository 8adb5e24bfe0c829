#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/data_set.h"
#include "engine/language_model.h"
#include "projects/finetune/run.h"

namespace toolkit::finetune {

/// Question and expected answer of row `number` (from 1) of the test split (else the validation
/// split) with the model's present answer as `base`. Nothing, and a note why, if there is no such
/// row.
std::optional<SampleAnswer> ask_base(const engine::LanguageModel& model, const data::Splits& splits,
                                     int number, std::vector<std::string>& notes);

/// The model's answer to that row's question: greedy, short.
std::string answer(const engine::LanguageModel& model, const data::Splits& splits, int number);

}  // namespace toolkit::finetune
