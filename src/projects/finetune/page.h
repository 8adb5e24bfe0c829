#pragma once

#include <string>

#include "projects/finetune/run.h"

namespace toolkit::finetune {

/// The page a person sees at the end: losses, speed, memory, one question answered twice, where
/// things lie, what to try next.
std::string to_page(const Config& config, const Result& result);

}  // namespace toolkit::finetune
