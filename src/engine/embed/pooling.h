#pragma once

#include <filesystem>
#include <span>
#include <vector>

namespace toolkit::engine {

/// How the vectors of a text's tokens become one.
struct Pooling {
  enum class Kind { kMean, kFirst, kLast, kMax };
  Kind kind = Kind::kMean;
  bool normalize = false;  // to length 1
  int max_tokens = 0;      // of a text; 0: what the model can
};

/// Reads what sentence-transformers writes beside a model: modules.json, the pooling module's
/// config.json, max_seq_length of sentence_bert_config.json. `fallback` where there is no
/// modules.json. Throws Error(kUnsupported) for a module or kind of pooling it does not know,
/// Error(kUserInput) for malformed files.
Pooling read_pooling(const std::filesystem::path& folder, const Pooling& fallback);

/// The vector of a text from those of its tokens, (tokens, width) row by row.
std::vector<float> pooled(std::span<const float> tokens, int width, const Pooling& pooling);

}  // namespace toolkit::engine
