#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace toolkit {

/// The candidate a mistyped word most likely meant (fewest typing slips: letters changed, added,
/// dropped or swapped), or "" when none is close enough to suggest.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// " Did you mean 'finetune'?", or "" when nothing is near. For the end of error messages.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace toolkit
