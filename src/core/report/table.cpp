#include "core/report/table.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "core/report/text_width.h"

namespace toolkit::report {

namespace {

const std::string& cell(const std::vector<std::string>& row, size_t column) {
  static const std::string empty;
  return column < row.size() ? row[column] : empty;
}

size_t column_count(const Table& table) {
  size_t count = table.header.size();
  for (const auto& row : table.rows) count = std::max(count, row.size());
  return count;
}

/// "12", "-0.5", "1,024", "81 %", "2.8x", "1.4 GB": a number with at most a short unit.
bool looks_like_number(const std::string& text) {
  size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const size_t digits = at;
  while (at < text.size() &&
         (std::isdigit(static_cast<unsigned char>(text[at])) || text[at] == '.' || text[at] == ','))
    ++at;
  if (at == digits || !std::isdigit(static_cast<unsigned char>(text[digits]))) return false;
  return display_width(std::string_view(text).substr(at)) <= 8 &&
         text.find('-', at) == std::string::npos &&
         std::none_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(),
                      [](char c) { return std::isdigit(static_cast<unsigned char>(c)); });
}

bool is_numeric(const Table& table, size_t column) {
  bool any = false;
  for (const auto& row : table.rows) {
    const std::string& text = cell(row, column);
    if (text.empty() || text == "-") continue;
    if (!looks_like_number(text)) return false;
    any = true;
  }
  return any;
}

std::string padded(const std::string& text, int width, bool right) {
  const int missing = std::max(0, width - display_width(text));
  const std::string blanks(static_cast<size_t>(missing), ' ');
  return right ? blanks + text : text + blanks;
}

struct Layout {
  std::vector<int> widths;
  std::vector<bool> right;
};

Layout layout_of(const Table& table) {
  Layout layout;
  for (size_t column = 0; column < column_count(table); ++column) {
    int width = display_width(cell(table.header, column));
    for (const auto& row : table.rows) width = std::max(width, display_width(cell(row, column)));
    layout.widths.push_back(width);
    layout.right.push_back(is_numeric(table, column));
  }
  return layout;
}

std::string text_row(const std::vector<std::string>& row, const Layout& layout) {
  std::string line;
  for (size_t column = 0; column < layout.widths.size(); ++column)
    line += (column ? "  " : "") +
            padded(cell(row, column), layout.widths[column], layout.right[column]);
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string markdown_cell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string markdown_row(const std::vector<std::string>& row, const Layout& layout) {
  std::string line = "|";
  for (size_t column = 0; column < layout.widths.size(); ++column)
    line += " " + padded(cell(row, column), layout.widths[column], layout.right[column]) + " |";
  return line + "\n";
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_row(const std::vector<std::string>& row, size_t columns) {
  std::string line;
  for (size_t column = 0; column < columns; ++column)
    line += (column ? "," : "") + csv_cell(cell(row, column));
  return line + "\r\n";
}

}  // namespace

std::string to_text(const Table& table) {
  const Layout layout = layout_of(table);
  std::string text;
  if (!table.header.empty()) {
    text += text_row(table.header, layout);
    for (size_t column = 0; column < layout.widths.size(); ++column) {
      text += column ? "  " : "";
      for (int i = 0; i < layout.widths[column]; ++i) text += "─";
    }
    text += "\n";
  }
  for (const auto& row : table.rows) text += text_row(row, layout);
  return text;
}

std::string to_markdown(const Table& given) {
  Table table = given;
  for (std::string& text : table.header) text = markdown_cell(text);
  for (auto& row : table.rows)
    for (std::string& text : row) text = markdown_cell(text);
  const Layout layout = layout_of(table);
  std::string text = markdown_row(table.header, layout) + "|";
  for (size_t column = 0; column < layout.widths.size(); ++column) {
    const size_t dashes = static_cast<size_t>(std::max(1, layout.widths[column]));
    text += layout.right[column] ? " " + std::string(dashes, '-') + ":|"
                                 : " " + std::string(dashes, '-') + " |";
  }
  text += "\n";
  for (const auto& row : table.rows) text += markdown_row(row, layout);
  return text;
}

std::string to_csv(const Table& table) {
  const size_t columns = column_count(table);
  std::string text = table.header.empty() ? "" : csv_row(table.header, columns);
  for (const auto& row : table.rows) text += csv_row(row, columns);
  return text;
}

}  // namespace toolkit::report
