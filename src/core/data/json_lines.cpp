#include <utility>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/data/line_reader.h"
#include "core/data/row_source.h"

namespace toolkit::data {
namespace {

bool is_blank_line(const std::string& text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string::npos;
}

class JsonLines : public RowSource {
 public:
  explicit JsonLines(const std::filesystem::path& path) : path_(path), reader_(path) {}

  bool next(SourceRow& row) override {
    do {
      if (!reader_.next(line_)) return false;
    } while (is_blank_line(line_.text) && !line_.too_long);
    if (std::exchange(first_, false) && line_.ended) check_is_not_one_document();
    row.line = line_.number;
    row.object = nullptr;
    row.problem.clear();
    try {
      if (line_.too_long)
        fail(ErrorKind::kUserInput, "longer than {} MiB", LineReader::kLimitBytes >> 20);
      row.object = parse_row(line_.text);
    } catch (const Error& error) {
      const bool torn = !line_.ended && !Json::accept(line_.text);
      row.problem =
          error.what() + std::string(torn ? " (the file ends in the middle of this line?)" : "");
    }
    return true;
  }

 private:
  // A pretty-printed document would make every line a bad row; say it once instead.
  void check_is_not_one_document() const {
    const size_t first = line_.text.find_first_not_of(" \t");
    if (first == line_.text.find_last_not_of(" \t") && line_.text[first] == '{') {
      fail(ErrorKind::kUserInput,
           "{}: expected one JSON object per line or an array of objects, found one object over "
           "many lines; convert it with `jq -c . {}`",
           path_.string(), path_.filename().string());
    }
  }

  std::filesystem::path path_;
  LineReader reader_;
  Line line_;
  bool first_ = true;
};

}  // namespace

std::unique_ptr<RowSource> open_json_lines(const std::filesystem::path& path) {
  return std::make_unique<JsonLines>(path);
}

}  // namespace toolkit::data
