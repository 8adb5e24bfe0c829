#pragma once

#include <string>
#include <vector>

namespace toolkit::monitor {

struct Prompt {
  std::string name, text;
};

/// The ten prompts of a benchmark, from a single fact to a comparison (prompts.json). They stay as
/// they are, so that results of different days can be compared.
const std::vector<Prompt>& standard_prompts();

}  // namespace toolkit::monitor
