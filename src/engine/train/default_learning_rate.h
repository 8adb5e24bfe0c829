#pragma once

#include <string_view>

namespace toolkit::engine {

/// The learning rate where none is given. For branches (any method but "full") 2e-4 of "sft"; 5e-5
/// of "dpo", whose margin grows with a sum over an answer's tokens; 8e-5 of "orpo". For the weights
/// themselves a tenth of it (Schulman et al. 2025, "LoRA Without Regret": the best rate of LoRA is
/// ten times that of full fine-tuning); 8e-6 is what ORPO's authors took (arXiv:2403.07691).
double default_learning_rate(std::string_view objective, std::string_view method);

}  // namespace toolkit::engine
