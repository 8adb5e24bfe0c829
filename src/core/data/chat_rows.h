#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/data/columns.h"
#include "core/data/row_source.h"
#include "core/text/chat_template.h"

namespace toolkit::data {

/// One row of a data set, whatever form it had in the file.
struct Row {
  std::vector<text::Message> messages;  // chat form; empty for plain text; of a pair the chosen one
  /// Of a preference row: the whole conversation with the worse answer; else empty. It begins with
  /// the same `prompt_messages` messages as `messages`, and differs in the next one.
  std::vector<text::Message> rejected;
  int prompt_messages = 0;
  std::string tools_json;  // JSON array or ""
  std::string text;        // plain text rows ({"text": ...}): every token is supervised
  int line = 0;            // 1-based, in the file it came from

  bool is_preference() const { return !rejected.empty(); }
};

/// A row that cannot be used, and why.
struct BadRow {
  std::string file;
  int line;
  std::string reason;
};

struct ReadResult {
  std::vector<Row> rows;
  std::vector<BadRow> bad;
  std::string format;  // "messages", "prompt/completion", "text", "alpaca", "sharegpt",
                       // "preference"
};

/// Reads a data file of any kind (row_source.h) row by row. Rows may be messages,
/// prompt/completion, text, alpaca (instruction/input/output), ShareGPT (conversations/from/value)
/// or preference (prompt/chosen/rejected); the first good row decides for the file.
class RowReader {
 public:
  /// Throws Error for a file that cannot be read at all.
  explicit RowReader(const std::filesystem::path& file, Columns columns = {});

  /// The next usable row, or false at the end; rows that cannot be used go to `bad` on the way.
  bool next(Row& row, std::vector<BadRow>& bad);

  const std::string& format() const { return format_; }  // "" before the first good row

 private:
  Row read(const OrderedJson& object);

  std::string file_;
  Columns columns_;
  std::unique_ptr<RowSource> source_;
  SourceRow raw_;
  std::string format_;
};

/// All rows of a file. Bad rows are collected, not thrown. Throws Error for a file that cannot be
/// read at all.
ReadResult read_rows(const std::filesystem::path& file, const Columns& columns = {});

}  // namespace toolkit::data
