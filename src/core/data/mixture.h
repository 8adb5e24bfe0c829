#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/data/data_set.h"

namespace toolkit::data {

/// One of the data sets that are trained on together.
struct MixturePart {
  std::filesystem::path path;  // file or folder, see read_data_set
  double weight = 0;  // its part of the training rows, relative to the others; 0: not given
};

/// "a.jsonl:0.7,b.jsonl:0.3", "a.jsonl,folder", or one path; a text that is the name of a file is
/// that file. Throws Error(kUserInput) for weights that are not above 0, or that only some parts
/// have.
std::vector<MixturePart> parse_mixture(const std::string& text);

/// What became of a part.
struct MixedPart {
  MixturePart part;
  size_t rows = 0, used = 0;  // training rows it has, and those that are in the mixture
};

/// Reads every part as read_data_set does and joins their splits. With weights, the training rows
/// are as many as can have these proportions without using a row twice, picked by `seed`; without,
/// all of them. Validation and test rows are all kept.
Splits read_mixture(const std::vector<MixturePart>& parts, const Columns& columns,
                    double valid_share, uint64_t seed, std::vector<MixedPart>* mixed = nullptr);

}  // namespace toolkit::data
