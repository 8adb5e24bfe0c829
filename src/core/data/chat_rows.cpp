#include "core/data/chat_rows.h"

#include <utility>

#include "core/base/error.h"
#include "core/data/row_format.h"

namespace toolkit::data {

RowReader::RowReader(const std::filesystem::path& file, Columns columns)
    : file_(file.string()), columns_(std::move(columns)), source_(open_row_source(file)) {}

Row RowReader::read(const OrderedJson& object) {
  const OrderedJson mapped = columns_.apply(object);
  const RowFormat* format = find_format(mapped);
  if (!format) {
    fail(ErrorKind::kUserInput, "unknown form: expected {}{}", expected_formats(),
         mapped.empty()
             ? ", found an empty object"
             : ", found the keys " + OrderedJson(mapped.items().begin().key()).dump() +
                   (mapped.size() > 1 ? " and others" : "") + " (--columns names others)");
  }
  if (!format_.empty() && format_ != format->name) {
    fail(ErrorKind::kUserInput, "a row in '{}' form, but the file's first row is in '{}' form",
         format->name, format_);
  }
  Row row = format->read(mapped);
  format_ = format->name;
  return row;
}

bool RowReader::next(Row& row, std::vector<BadRow>& bad) {
  while (source_->next(raw_)) {
    try {
      if (!raw_.problem.empty()) fail(ErrorKind::kUserInput, "{}", raw_.problem);
      row = read(raw_.object);
      row.line = raw_.line;
      return true;
    } catch (const Error& error) {
      bad.push_back({file_, raw_.line, error.what()});
    }
  }
  return false;
}

ReadResult read_rows(const std::filesystem::path& file, const Columns& columns) {
  RowReader reader(file, columns);
  ReadResult result;
  for (Row row; reader.next(row, result.bad);) result.rows.push_back(std::move(row));
  result.format = reader.format();
  return result;
}

}  // namespace toolkit::data
