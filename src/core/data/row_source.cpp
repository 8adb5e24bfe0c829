#include "core/data/row_source.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "core/base/error.h"
#include "core/data/text_file.h"

namespace toolkit::data {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 5> kEndings = {".jsonl", ".json", ".csv", ".tsv", ".parquet"};
constexpr size_t kLongestReason = 240;

std::string ending(const fs::path& path) {
  std::string text = path.extension().string();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool begins_array(const fs::path& path) {
  TextFile file(path);
  const std::string_view start = file.rest();
  const size_t first = start.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || start[first] != '[') return false;
  // "[1, 2]" on a line of its own is a bad row of a JSONL file, not an array of rows.
  const size_t second = start.find_first_not_of(" \t\r\n", first + 1);
  return second == std::string_view::npos || start[second] == '{' || start[second] == ']';
}

// "row:1:17: expected ..." as "column 17: expected ...".
std::string placed_reason(const std::string& message) {
  constexpr std::string_view kPrefix = "row:1:";
  return message.starts_with(kPrefix) ? "column " + message.substr(kPrefix.size()) : message;
}

}  // namespace

std::string clean_reason(const std::string& reason) {
  std::string clean;
  for (char c : reason.substr(0, kLongestReason)) {
    const auto byte = static_cast<unsigned char>(c);
    clean += byte >= 0x20 && byte < 0x7f ? c : '?';
  }
  return reason.size() > kLongestReason ? clean + "..." : clean;
}

OrderedJson parse_row(std::string_view text) {
  OrderedJson row;
  try {
    row = parse_ordered_json(text, "row");
  } catch (const Error& error) {
    fail(ErrorKind::kUserInput, "not valid JSON: {}", clean_reason(placed_reason(error.what())));
  }
  if (!row.is_object()) {
    fail(ErrorKind::kUserInput, "expected an object, found {} {}", row.is_array() ? "an" : "a",
         row.type_name());
  }
  return row;
}

std::unique_ptr<RowSource> open_row_source(const fs::path& path) {
  const std::string kind = ending(path);
  if (kind == ".csv") return open_separated_values(path, ',');
  if (kind == ".tsv") return open_separated_values(path, '\t');
  if (kind == ".parquet") return open_parquet(path);
  return begins_array(path) ? open_json_array(path) : open_json_lines(path);
}

fs::path find_data_file(const fs::path& folder, const std::string& name) {
  fs::path found;
  std::error_code code;
  for (const char* kind : kEndings) {
    const fs::path path = folder / (name + kind);
    if (!fs::exists(path, code)) continue;
    if (!found.empty())
      fail(ErrorKind::kUserInput, "{}: expected one file for '{}', found {} and {}",
           folder.string(), name, found.filename().string(), path.filename().string());
    found = path;
  }
  return found;
}

bool has_text_cells(const fs::path& path) {
  return ending(path) == ".csv" || ending(path) == ".tsv";
}

}  // namespace toolkit::data
