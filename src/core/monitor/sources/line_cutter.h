#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace toolkit::monitor {

/// Cuts bytes that come piece by piece into lines; those over 16 KiB are left out.
class LineCutter {
 public:
  /// The lines that are whole now, without their ends.
  std::vector<std::string> add(std::string_view bytes);
  void clear() { rest_.clear(); }

 private:
  std::string rest_;
};

}  // namespace toolkit::monitor
