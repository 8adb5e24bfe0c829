#pragma once

#include <string>
#include <vector>

#include "core/report/table.h"

namespace toolkit::cache {

/// Weight of a line on a terminal.
enum class Tone { kPlain, kGood, kWarning, kFault };

/// Text of a command for people, with colour where it is wanted: headings, tables, lines, bars.
class Page {
 public:
  explicit Page(bool color) : color_(color) {}

  void heading(const std::string& text);
  /// `tones`: one for each row, or fewer.
  void table(const report::Table& table, const std::vector<Tone>& tones = {});
  void row(const std::string& name, const std::string& value);  // "  name      value"
  void line(const std::string& text, Tone tone = Tone::kPlain);
  void gap() { text_ += "\n"; }
  const std::string& text() const { return text_; }

 private:
  std::string painted(const std::string& text, const char* code) const;

  bool color_;
  std::string text_;
};

/// "██████░░░░░░░░░░░░░░  31 %" for a share of 0..1 (more is shown full).
std::string bar(double share);

/// "3 models", "1 model".
std::string counted(uint64_t count, const std::string& thing);

}  // namespace toolkit::cache
