#include "core/data/columns.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/nearest.h"

namespace toolkit::data {
namespace {

const std::vector<std::string> kNames = {
    "messages", "prompt",        "completion",  "system", "tools",  "text",   "chosen",
    "rejected", "conversations", "instruction", "input",  "output", "history"};

// The member at "a.b.c", or null. A column that is called "a.b" itself comes first.
const OrderedJson* member_at(const OrderedJson& row, const std::string& path) {
  if (!row.is_object()) return nullptr;
  if (const auto found = row.find(path); found != row.end()) return &*found;
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1)) {
    const auto outer = row.find(path.substr(0, dot));
    if (outer == row.end()) continue;
    if (const OrderedJson* inner = member_at(*outer, path.substr(dot + 1))) return inner;
  }
  return nullptr;
}

std::string column_names(const OrderedJson& row) {
  std::string names;
  for (const auto& [key, value] : row.items()) {
    if (names.size() > 160) return names + ", ...";
    names += (names.empty() ? "" : ", ") + key.substr(0, 40);
  }
  return names;
}

}  // namespace

Columns::Columns(const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) {
    const size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == assignment.size())
      fail(ErrorKind::kUserInput,
           "--columns: expected name=column, for example prompt=question,completion=answer; found "
           "'{}'",
           assignment);
    const std::string name = assignment.substr(0, equals);
    if (std::find(kNames.begin(), kNames.end(), name) == kNames.end())
      fail(ErrorKind::kUserInput, "--columns: unknown name '{}', expected one of {}.{}", name,
           fmt::join(kNames, ", "), did_you_mean(name, kNames));
    const bool again = std::any_of(columns_.begin(), columns_.end(),
                                   [&](const auto& column) { return column.first == name; });
    if (again) fail(ErrorKind::kUserInput, "--columns: '{}' is given twice", name);
    columns_.emplace_back(name, assignment.substr(equals + 1));
  }
}

OrderedJson Columns::apply(const OrderedJson& row) const {
  if (empty()) return row;
  OrderedJson mapped = OrderedJson::object();
  for (const auto& [name, column] : columns_)
    if (const OrderedJson* value = member_at(row, column)) mapped[name] = *value;
  if (mapped.empty())
    fail(ErrorKind::kUserInput, "expected the columns of --columns ({}), found {}", text(),
         row.empty() ? "no columns" : column_names(row));
  return mapped;
}

std::string Columns::text() const {
  std::string result;
  for (const auto& [name, column] : columns_)
    result += (result.empty() ? "" : ",") + name + "=" + column;
  return result;
}

}  // namespace toolkit::data
