#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/data/chat_rows.h"

namespace toolkit::data {

/// What is known of a row when its text is no longer held. Equal numbers mean equal rows, but for
/// one chance in 2^64 a pair; a run of white space counts as one space.
struct RowKey {
  uint64_t said = 0;   // all of it
  uint64_t asked = 0;  // what comes before the first answer; 0: plain text asks nothing
  int line = 0;
};

RowKey row_key(const Row& row);

/// Where a row stands: the split's index and the line in its file.
struct Place {
  int split = 0;
  int line = 0;
};

/// A row that says the same as an earlier one.
struct Duplicate {
  Place first, again;
};

/// Rows that say the same. Splits are compared in the order given, so that a test row that also
/// stands in train is a duplicate of the train row.
std::vector<Duplicate> find_duplicates(std::span<const std::span<const RowKey>> splits);

/// Rows of a later split whose question stands in the first split too, with another answer: what
/// they measure was partly seen in training.
std::vector<Duplicate> find_leaks(std::span<const std::span<const RowKey>> splits);

}  // namespace toolkit::data
