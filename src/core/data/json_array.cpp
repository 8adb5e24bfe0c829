#include <algorithm>
#include <string_view>

#include "core/base/error.h"
#include "core/data/line_reader.h"
#include "core/data/row_source.h"
#include "core/data/text_file.h"

namespace toolkit::data {
namespace {

// Finds where the elements of one big array begin and end; only an element is parsed at a time.
class JsonArray : public RowSource {
 public:
  explicit JsonArray(const std::filesystem::path& path) : file_(path) {}

  bool next(SourceRow& row) override {
    row.object = nullptr;
    row.problem.clear();
    if (place_ == Place::kInside) return next_element(row);
    if (place_ == Place::kEnd || rest_is_blank()) return false;
    place_ = Place::kEnd;
    row.line = line_;
    row.problem = "expected nothing behind the array, found more text";
    return true;
  }

 private:
  enum class Place { kInside, kBehind, kEnd };

  bool next_element(SourceRow& row) {
    text_.clear();
    too_long_ = false;
    depth_ = 0;
    line_of_row_ = 0;
    const char end = read_element();
    if (end != ',') place_ = end == ']' ? Place::kBehind : Place::kEnd;
    if (end == ']' && text_.empty() && !after_comma_) return next(row);  // the array is empty
    after_comma_ = end == ',';
    row.line = line_of_row_ > 0 ? line_of_row_ : line_;
    try {
      if (too_long_)
        fail(ErrorKind::kUserInput, "longer than {} MiB", LineReader::kLimitBytes >> 20);
      if (end == '\0') fail(ErrorKind::kUserInput, "the file ends in the middle of the array");
      row.object = parse_row(text_);
    } catch (const Error& error) {
      row.problem = error.what();
    }
    return true;
  }

  // Text of the next element; returns what ended it: ',', ']' or 0 for the end of the file.
  char read_element() {
    while (true) {
      const std::string_view rest = file_.rest();
      if (rest.empty()) return '\0';
      for (size_t i = 0; i < rest.size(); ++i) {
        const char c = rest[i];
        if (c == '\n') ++line_;
        if (!opened_) {  // the '[' of the array itself
          opened_ = c == '[';
          continue;
        }
        if (!in_string_ && depth_ == 0 && (c == ',' || c == ']')) {
          file_.take(i + 1);
          return c;
        }
        keep(c);
      }
      file_.take(rest.size());
    }
  }

  void keep(char c) {
    const bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (text_.empty() && space) return;
    if (text_.empty()) line_of_row_ = line_;
    if (in_string_) {
      if (!escaped_ && c == '"') in_string_ = false;
      escaped_ = !escaped_ && c == '\\';
    } else if (c == '"') {
      in_string_ = true;
      escaped_ = false;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && depth_ > 0) {
      --depth_;
    }
    if (text_.size() < LineReader::kLimitBytes) {
      text_ += c;
    } else {
      too_long_ = true;
    }
  }

  bool rest_is_blank() {
    while (true) {
      const std::string_view rest = file_.rest();
      if (rest.empty()) return true;
      const size_t first = rest.find_first_not_of(" \t\r\n");
      const std::string_view blank = rest.substr(0, first);
      line_ += static_cast<int>(std::count(blank.begin(), blank.end(), '\n'));
      if (first != std::string_view::npos) return false;
      file_.take(rest.size());
    }
  }

  TextFile file_;
  std::string text_;
  int line_ = 1, line_of_row_ = 0, depth_ = 0;
  bool opened_ = false, in_string_ = false, escaped_ = false, too_long_ = false;
  bool after_comma_ = false;
  Place place_ = Place::kInside;
};

}  // namespace

std::unique_ptr<RowSource> open_json_array(const std::filesystem::path& path) {
  return std::make_unique<JsonArray>(path);
}

}  // namespace toolkit::data
