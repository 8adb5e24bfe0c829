// CSV (RFC 4180) and the same with tabs.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/data/line_reader.h"
#include "core/data/row_source.h"

namespace toolkit::data {
namespace {

constexpr size_t kMostColumns = 4096;

// One record, which may run over several lines.
struct Record {
  int line = 0;
  std::vector<std::string> cells;
  std::string problem;
};

class SeparatedValues : public RowSource {
 public:
  SeparatedValues(const std::filesystem::path& path, char separator)
      : reader_(path), separator_(separator) {
    read_header(path);
  }

  bool next(SourceRow& row) override {
    if (!read_record()) return false;
    row.line = record_.line;
    row.object = OrderedJson::object();
    row.problem = record_.problem;
    if (!row.problem.empty()) return true;
    if (record_.cells.size() != columns_.size()) {
      row.problem = fmt::format("expected {} cells as in the header, found {}", columns_.size(),
                                record_.cells.size());
      return true;
    }
    for (size_t i = 0; i < columns_.size(); ++i)
      row.object.push_back({columns_[i], std::move(record_.cells[i])});
    return true;
  }

 private:
  void read_header(const std::filesystem::path& path) {
    if (!read_record()) return;  // an empty file has no rows
    if (!record_.problem.empty())
      fail(ErrorKind::kUserInput, "{}:{}: {}", path.string(), record_.line, record_.problem);
    columns_ = record_.cells;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const bool again = std::find(columns_.begin(), columns_.begin() + static_cast<long>(i),
                                   columns_[i]) != columns_.begin() + static_cast<long>(i);
      if (again)
        fail(ErrorKind::kUserInput,
             "{}:{}: expected a header line with the names of the columns, found the name '{}' "
             "twice",
             path.string(), record_.line, columns_[i].substr(0, 80));
    }
  }

  // Reads the lines of one record; blank lines between records are passed over.
  bool read_record() {
    do {
      if (!reader_.next(line_)) return false;
    } while (line_.text.empty() && !line_.too_long);
    record_ = {.line = line_.number};
    std::string cell;
    bool in_quotes = false;
    size_t size = 0;
    while (true) {
      size += line_.text.size() + 1;
      if (line_.too_long || size > LineReader::kLimitBytes) {
        record_.problem = fmt::format("longer than {} MiB{}", LineReader::kLimitBytes >> 20,
                                      in_quotes ? " (a quote that is not closed?)" : "");
        return true;
      }
      in_quotes = read_line(in_quotes, cell);
      if (!in_quotes || !record_.problem.empty()) break;
      cell += '\n';
      if (!reader_.next(line_)) {
        record_.problem = "the file ends inside a quoted cell";
        break;
      }
    }
    return true;
  }

  // Takes one line apart; returns whether it ends inside quotes.
  bool read_line(bool in_quotes, std::string& cell) {
    const std::string& text = line_.text;
    bool was_quoted = in_quotes;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (in_quotes) {
        if (c != '"') {
          cell += c;
        } else if (i + 1 < text.size() && text[i + 1] == '"') {
          cell += text[++i];
        } else {
          in_quotes = false;
        }
      } else if (c == separator_) {
        finish_cell(cell);
        was_quoted = false;
      } else if (c == '"' && cell.empty() && !was_quoted) {
        in_quotes = was_quoted = true;
      } else if (was_quoted || c == '"') {
        refuse_quote(i, was_quoted);
        return false;
      } else {
        cell += c;
      }
    }
    if (!in_quotes) finish_cell(cell);
    return in_quotes;
  }

  void finish_cell(std::string& cell) {
    if (record_.cells.size() >= kMostColumns && record_.problem.empty())
      record_.problem = fmt::format("more than {} cells", kMostColumns);
    if (record_.problem.empty()) record_.cells.push_back(std::move(cell));
    cell.clear();
  }

  void refuse_quote(size_t column, bool behind) {
    if (!record_.problem.empty()) return;
    record_.problem = fmt::format(
        "line {}, column {}: {}; a cell that holds quotes is written \"...\" with each quote "
        "doubled",
        line_.number, column + 1,
        behind ? "found text behind the quote that closes a cell"
               : "found a quote inside a cell that does not begin with one");
  }

  LineReader reader_;
  char separator_;
  Line line_;
  Record record_;
  std::vector<std::string> columns_;
};

}  // namespace

std::unique_ptr<RowSource> open_separated_values(const std::filesystem::path& path,
                                                 char separator) {
  return std::make_unique<SeparatedValues>(path, separator);
}

}  // namespace toolkit::data
