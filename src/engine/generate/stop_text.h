#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace toolkit::engine {

/// Watches streamed text for the first of several stop strings. Text that may turn out to be the
/// beginning of one is held back; the stop string itself is never let through.
class StopText {
 public:
  explicit StopText(std::vector<std::string> stops);

  /// Takes the next piece and returns what may be shown.
  std::string push(std::string_view piece);
  /// The end of the text: what was held back.
  std::string finish();
  bool found() const { return found_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool found_ = false;
};

}  // namespace toolkit::engine
