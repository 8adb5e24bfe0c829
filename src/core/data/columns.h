#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/ordered_json.h"

namespace toolkit::data {

/// Which column of a file holds what: "prompt=question", "completion=answer.text" (a dot goes into
/// a nested object). With any given, a row consists of the named columns and nothing else.
class Columns {
 public:
  Columns() = default;
  /// Throws Error(kUserInput) for what is not name=column, an unknown name or one given twice.
  explicit Columns(const std::vector<std::string>& assignments);

  bool empty() const { return columns_.empty(); }

  /// The row with the names the formats know. A column that is not there is left out. Throws
  /// Error(kUserInput) if none of them is there.
  OrderedJson apply(const OrderedJson& row) const;

  /// "prompt=question,completion=answer": equal for equal mappings.
  std::string text() const;

 private:
  std::vector<std::pair<std::string, std::string>> columns_;  // name, column
};

}  // namespace toolkit::data
