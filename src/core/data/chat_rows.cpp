#include "core/data/chat_rows.h"

#include <utility>

#include "core/base/error.h"
#include "core/data/line_reader.h"
#include "core/data/row_format.h"

namespace toolkit::data {
namespace {

// The row of this line. The first good row decides the form of the file.
Row read_line(const Line& line, ReadResult& result) {
  if (line.too_long) {
    fail(ErrorKind::kUserInput, "longer than {} MiB", LineReader::kLimitBytes >> 20);
  }
  const Json object = parse_row(line.text);
  const RowFormat* format = find_format(object);
  if (!format) {
    fail(ErrorKind::kUserInput, "unknown form: expected {}{}", expected_formats(),
         object.empty() ? ", found an empty object"
                        : ", found the keys " + Json(object.items().begin().key()).dump() +
                              (object.size() > 1 ? " and others" : ""));
  }
  if (!result.format.empty() && result.format != format->name) {
    fail(ErrorKind::kUserInput, "a row in '{}' form, but the file's first row is in '{}' form",
         format->name, result.format);
  }
  Row row = format->read(object);
  row.line = line.number;
  result.format = format->name;
  return row;
}

// A pretty-printed document would make every line a bad row; say it once instead.
void check_is_not_one_document(const Line& line, const std::filesystem::path& file) {
  const size_t first = line.text.find_first_not_of(" \t");
  const size_t last = line.text.find_last_not_of(" \t");
  if (first == last && (line.text[first] == '[' || line.text[first] == '{')) {
    fail(ErrorKind::kUserInput,
         "{}: expected one JSON object per line, found one document over many lines; convert it "
         "with `jq -c '{}' {}`",
         file.string(), line.text[first] == '[' ? ".[]" : ".", file.filename().string());
  }
}

}  // namespace

ReadResult read_rows(const std::filesystem::path& file) {
  LineReader reader(file);
  ReadResult result;
  Line line;
  bool first = true;
  while (reader.next(line)) {
    if (is_blank(line.text) && !line.too_long) continue;
    if (std::exchange(first, false) && line.ended) check_is_not_one_document(line, file);
    try {
      result.rows.push_back(read_line(line, result));
    } catch (const Error& error) {
      const bool torn = !line.ended && !nlohmann::json::accept(line.text);
      const char* hint = torn ? " (the file ends in the middle of this line?)" : "";
      result.bad.push_back({file.string(), line.number, error.what() + std::string(hint)});
    }
  }
  return result;
}

}  // namespace toolkit::data
