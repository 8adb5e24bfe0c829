#pragma once

#include <string>
#include <vector>

namespace toolkit::report {

/// A table for the terminal; columns of numbers are aligned right. Widths count display columns of
/// UTF-8.
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

std::string to_text(const Table& table);
std::string to_markdown(const Table& table);
std::string to_csv(const Table& table);

}  // namespace toolkit::report
