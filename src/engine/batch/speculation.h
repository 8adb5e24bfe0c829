#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace toolkit::engine {

/// Guesses how a text goes on: by what followed its last three (else two) tokens where they stood
/// before, the latest place first; up to `count` tokens, none if they are new (prompt lookup,
/// Saxena 2023). Checked in one pass with the newest token, guesses save passes where a text
/// repeats itself (speculative decoding, Leviathan et al. 2023, arXiv:2211.17192).
std::vector<int32_t> look_up_continuation(std::span<const int32_t> tokens, int count);

}  // namespace toolkit::engine
