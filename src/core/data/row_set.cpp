#include "core/data/row_set.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace toolkit::data {

RowSet RowSet::scan(const std::filesystem::path& file, const Columns& columns,
                    std::vector<BadRow>& bad) {
  RowReader reader(file, columns);
  RowSet set;
  for (Row row; reader.next(row, bad);) set.keys_.push_back(row_key(row));
  if (!set.empty())
    set.sources_.push_back({.file = file,
                            .columns = columns,
                            .format = reader.format(),
                            .rows = set.size(),
                            .taken = {},
                            .count = set.size()});
  return set;
}

void RowSet::for_each(const std::function<bool(const Row&)>& visit) const {
  for (const Source& source : sources_) {
    RowReader reader(source.file, source.columns);
    std::vector<BadRow> ignored;
    size_t number = 0;
    for (Row row; number <= source.rows && reader.next(row, ignored); ++number) {
      if (number == source.rows) continue;  // one more than there were
      if ((source.taken.empty() || source.taken[number]) && !visit(row)) return;
      ignored.clear();
    }
    if (number != source.rows || reader.format() != source.format)
      fail(ErrorKind::kIo, "{}: changed while it was read; start again when it is complete",
           source.file.string());
  }
}

Row RowSet::at(size_t index) const {
  if (index >= size()) fail(ErrorKind::kInternal, "RowSet: no row {} of {}", index, size());
  Row found;
  for_each([&, left = index](const Row& row) mutable {
    if (left-- > 0) return true;
    found = row;
    return false;
  });
  return found;
}

RowSet RowSet::chosen(const std::vector<bool>& marks) const {
  RowSet set;
  size_t at = 0;
  for (const Source& source : sources_) {
    Source part = source;
    part.taken.assign(source.rows, false);
    part.count = 0;
    for (size_t number = 0; number < source.rows; ++number) {
      if (!source.taken.empty() && !source.taken[number]) continue;
      if (marks.at(at)) {
        part.taken[number] = true;
        ++part.count;
        set.keys_.push_back(keys_[at]);
      }
      ++at;
    }
    if (part.count > 0) set.sources_.push_back(std::move(part));
  }
  return set;
}

void RowSet::append(const RowSet& more) {
  sources_.insert(sources_.end(), more.sources_.begin(), more.sources_.end());
  keys_.insert(keys_.end(), more.keys_.begin(), more.keys_.end());
}

}  // namespace toolkit::data
