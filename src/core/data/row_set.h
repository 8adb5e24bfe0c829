#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/data/chat_rows.h"
#include "core/data/columns.h"
#include "core/data/duplicates.h"

namespace toolkit::data {

/// Rows that stay in their files and are read again, one at a time, whenever they are looked at: a
/// set takes 24 bytes a row, so files may be larger than memory.
class RowSet {
 public:
  RowSet() = default;

  /// The usable rows of a file, read once; the others go to `bad`. Throws Error for a file that
  /// cannot be read at all.
  static RowSet scan(const std::filesystem::path& file, const Columns& columns,
                     std::vector<BadRow>& bad);

  size_t size() const { return keys_.size(); }
  bool empty() const { return keys_.empty(); }
  /// Of each row, in order.
  const std::vector<RowKey>& keys() const { return keys_; }

  /// A file with rows of this set. All its rows have one form.
  struct Source {
    std::filesystem::path file;
    Columns columns;
    std::string format;       // see ReadResult
    size_t rows = 0;          // usable ones in the file
    std::vector<bool> taken;  // which of them are in the set; empty: all
    size_t count = 0;         // how many are in the set
  };
  /// Their rows stand in the set one source after the other.
  const std::vector<Source>& sources() const { return sources_; }

  /// Reads the rows in order; `visit` returns whether to go on. Throws Error(kIo) for a file that
  /// has other rows than when it was scanned.
  void for_each(const std::function<bool(const Row&)>& visit) const;

  /// Row `index`. Reads what stands before it.
  Row at(size_t index) const;

  /// The rows that are marked, in their order.
  RowSet chosen(const std::vector<bool>& marks) const;

  void append(const RowSet& more);

 private:
  std::vector<Source> sources_;
  std::vector<RowKey> keys_;
};

}  // namespace toolkit::data
