#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/base/ordered_json.h"

namespace toolkit::data {

/// One row of a file as an object, before its form is known.
struct SourceRow {
  int line = 0;         // 1-based: where it begins; in a Parquet file the number of the row
  OrderedJson object;   // its columns, in the file's order
  std::string problem;  // not empty: why this row cannot be read
};

/// A data file row by row, in one pass that holds one row at a time.
class RowSource {
 public:
  virtual ~RowSource() = default;
  /// The next row, or false at the end. Throws Error(kIo) when reading fails.
  virtual bool next(SourceRow& row) = 0;
};

/// Kinds of files, by what their names end in: ".jsonl", ".json", ".csv", ".tsv", ".parquet".
/// A .json file may hold an array of objects or one object per line. CSV and TSV follow RFC 4180:
/// a header line with the columns' names, cells in quotes may hold separators, quotes ("") and line
/// ends; every cell is text. Any other name is taken for JSONL. Throws Error(kNotFound |
/// kUserInput | kIo) for what cannot be read at all.
std::unique_ptr<RowSource> open_row_source(const std::filesystem::path& path);

/// "train.jsonl", "train.json", "train.csv", "train.tsv" or "train.parquet" in a folder for
/// "train"; empty if none is there. Throws Error(kUserInput) if there are several.
std::filesystem::path find_data_file(const std::filesystem::path& folder, const std::string& name);

/// Whether a file of this name is read as a table of text cells.
bool has_text_cells(const std::filesystem::path& path);

/// Parses one JSON object. Throws Error(kUserInput) with the reason: not JSON (column), not an
/// object.
OrderedJson parse_row(std::string_view text);

/// A reason short and printable: the JSON parser quotes what it read, which may be long or binary.
std::string clean_reason(const std::string& reason);

// --- the kinds, each in a file of its own
std::unique_ptr<RowSource> open_json_lines(const std::filesystem::path& path);
std::unique_ptr<RowSource> open_json_array(const std::filesystem::path& path);
std::unique_ptr<RowSource> open_separated_values(const std::filesystem::path& path, char separator);
std::unique_ptr<RowSource> open_parquet(const std::filesystem::path& path);

}  // namespace toolkit::data
