// {"text": "..."}: plain text, every token is learned.
#include "core/base/error.h"
#include "core/data/row_format.h"

namespace toolkit::data {
namespace {

bool matches(const OrderedJson& row) {
  return row.contains("text");
}

Row read(const OrderedJson& row) {
  Row result;
  result.text = text_member(row, "text");
  if (is_blank(result.text)) fail(ErrorKind::kUserInput, "'text' is empty");
  return result;
}

}  // namespace

const RowFormat kTextFormat = {"text", "'text'", matches, read};

}  // namespace toolkit::data
