#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/data/chat_rows.h"

namespace toolkit::data {

/// Where a row stands: the split's index and the line in its file.
struct Place {
  int split = 0;
  int line = 0;
};

/// A row that says the same as an earlier one.
struct Duplicate {
  Place first, again;
};

/// Rows that are equal once every run of white space counts as one space. Splits are compared in
/// the order given, so that a test row that also stands in train is a duplicate of the train row.
std::vector<Duplicate> find_duplicates(std::span<const std::vector<data::Row>> splits);

/// Chat rows of a later split whose question (all that comes before the first answer) stands in the
/// first split too, with another answer: what they measure was partly seen in training.
std::vector<Duplicate> find_leaks(std::span<const std::vector<data::Row>> splits);

}  // namespace toolkit::data
