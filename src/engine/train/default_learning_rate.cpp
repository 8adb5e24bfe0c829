#include "engine/train/default_learning_rate.h"

namespace toolkit::engine {

double default_learning_rate(std::string_view objective, std::string_view method) {
  const double of_branches = objective == "dpo" ? 5e-5 : objective == "orpo" ? 8e-5 : 2e-4;
  return method == "full" ? of_branches / 10 : of_branches;
}

}  // namespace toolkit::engine
