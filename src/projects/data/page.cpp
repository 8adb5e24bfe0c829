#include "projects/data/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/report/table.h"
#include "projects/data/lengths.h"

namespace toolkit::data_check {
namespace {

constexpr int kBins = 12;
constexpr int kBarWidth = 40;

std::string grouped(int64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<size_t>(at), ",");
  }
  return text;
}

std::string counted(int64_t count, const char* one, const char* many) {
  return grouped(count) + " " + (count == 1 ? one : many);
}

std::string file_name(const SplitSurvey& split) {
  return std::filesystem::path(split.file).filename().string();
}

std::string files_table(const Survey& survey) {
  report::Table table;
  table.header = {"file", "form", "rows", "bad", survey.tokens ? "tokens" : "characters"};
  if (survey.tokens) table.header.emplace_back("learned");
  for (const char* column : {"min", "mean", "p50", "p90", "p99", "max"})
    table.header.emplace_back(column);
  for (const SplitSurvey& split : survey.splits) {
    const LengthSummary lengths = summarize(split.lengths);
    std::vector<std::string> row = {file_name(split), split.format, grouped(split.rows),
                                    grouped(static_cast<int64_t>(split.bad.size())),
                                    grouped(lengths.total)};
    if (survey.tokens) {
      row.push_back(lengths.total == 0
                        ? "-"
                        : fmt::format("{:.0f} %", 100.0 * static_cast<double>(split.supervised) /
                                                      static_cast<double>(lengths.total)));
    }
    row.push_back(grouped(lengths.min));
    row.push_back(fmt::format("{:.1f}", lengths.mean));
    for (int value : {lengths.p50, lengths.p90, lengths.p99, lengths.max})
      row.push_back(grouped(value));
    table.rows.push_back(row);
  }
  return report::to_text(table);
}

std::string bars(const std::vector<int>& lengths, const char* unit) {
  const std::vector<Bin> bins = histogram(lengths, kBins);
  int most = 1;
  size_t width = 0;
  for (const Bin& bin : bins) {
    most = std::max(most, bin.count);
    width = std::max(width, grouped(bin.to).size());
  }
  std::string text = fmt::format("rows by {}\n", unit);
  for (const Bin& bin : bins) {
    int length = static_cast<int>(int64_t{bin.count} * kBarWidth / most);
    if (bin.count > 0) length = std::max(length, 1);
    std::string bar;
    for (int i = 0; i < length; ++i) bar += "█";
    std::string range = fmt::format("{:>{}}", grouped(bin.from), width);
    if (bin.to > bin.from) range += fmt::format(" - {:>{}}", grouped(bin.to), width);
    text += fmt::format("  {}  {}{}{}\n", range, bar, bar.empty() ? "" : " ", grouped(bin.count));
  }
  return text;
}

std::string lines_list(const std::vector<int>& lines, int show) {
  std::string text;
  for (size_t i = 0; i < lines.size() && i < static_cast<size_t>(show); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(lines[i]);
  }
  if (lines.size() > static_cast<size_t>(show)) {
    text +=
        fmt::format("{} {} more", show > 0 ? " and" : "", lines.size() - static_cast<size_t>(show));
  }
  return text;
}

std::string bad_rows(const Survey& survey, int show) {
  std::string text;
  for (const SplitSurvey& split : survey.splits) {
    if (split.bad.empty()) continue;
    text += fmt::format("\n{} cannot be used:\n",
                        counted(static_cast<int64_t>(split.bad.size()), "row", "rows"));
    for (size_t i = 0; i < split.bad.size() && i < static_cast<size_t>(show); ++i) {
      text += fmt::format("  {}:{}: {}\n", split.file, split.bad[i].line, split.bad[i].reason);
    }
    if (split.bad.size() > static_cast<size_t>(show)) {
      text += fmt::format("  and {} more (--show, or --json for all)\n",
                          split.bad.size() - static_cast<size_t>(show));
    }
  }
  return text;
}

std::string length_problems(const Survey& survey, int show) {
  std::string text;
  for (const SplitSurvey& split : survey.splits) {
    const auto cut = static_cast<int64_t>(split.cut_lines.size());
    if (cut > 0) {
      text += fmt::format("\n{} of {} longer than {} tokens and would be cut: line {}\n",
                          counted(cut, "row", "rows"), file_name(split), grouped(survey.max_length),
                          lines_list(split.cut_lines, show));
    }
    const auto empty = static_cast<int64_t>(split.unsupervised_lines.size());
    if (empty > 0) {
      text += fmt::format("\n{} of {} with nothing to learn in the first {} tokens: line {}\n",
                          counted(empty, "row", "rows"), file_name(split),
                          grouped(survey.max_length), lines_list(split.unsupervised_lines, show));
    }
  }
  return text;
}

std::string pair_lines(const Survey& survey, const std::vector<data::Duplicate>& pairs,
                       const char* relation, int show) {
  std::string text;
  for (size_t i = 0; i < pairs.size() && i < static_cast<size_t>(show); ++i) {
    const auto& [first, again] = pairs[i];
    text += fmt::format("  {}:{} {} {}:{}\n", file_name(survey.splits[again.split]), again.line,
                        relation, file_name(survey.splits[first.split]), first.line);
  }
  if (pairs.size() > static_cast<size_t>(show))
    text += fmt::format("  and {} more\n", pairs.size() - static_cast<size_t>(show));
  return text;
}

std::string duplicate_problems(const Survey& survey, int show) {
  if (survey.duplicates.empty()) return "";
  const auto leaks = std::count_if(
      survey.duplicates.begin(), survey.duplicates.end(),
      [](const data::Duplicate& pair) { return pair.first.split != pair.again.split; });
  std::string text = fmt::format("\n{} (white space aside), {} between files{}:\n",
                                 counted(static_cast<int64_t>(survey.duplicates.size()),
                                         "row stands twice", "rows stand twice"),
                                 leaks, leaks > 0 ? ": losses on those rows say nothing" : "");
  return text + pair_lines(survey, survey.duplicates, "is", show);
}

std::string leak_problems(const Survey& survey, int show) {
  if (survey.leaks.empty()) return "";
  return fmt::format("\n{} in training with another answer: losses on those rows say little\n",
                     counted(static_cast<int64_t>(survey.leaks.size()), "question stands",
                             "questions stand")) +
         pair_lines(survey, survey.leaks, "asks what is asked in", show);
}

std::string short_answers(const Survey& survey) {
  const SplitSurvey& train = survey.splits[0];
  const int learned = train.rows - static_cast<int>(train.unsupervised_lines.size());
  if (learned == 0 || train.one_token_rows < learned) return "";
  return fmt::format(
      "\nEvery answer of {} is a single token: a model learns the choice, not how to write\n",
      file_name(train));
}

std::string verdict(const Survey& survey) {
  int rows = 0;
  for (const SplitSurvey& split : survey.splits) rows += split.rows;
  const int unusable = survey.unusable();
  if (unusable > 0) {
    return fmt::format("\nNot ready: {} cannot be used.\n", counted(unusable, "row", "rows"));
  }
  if (rows == 0) return "\nNot ready: there are no rows.\n";
  return survey.tokens
             ? "\nReady for training.\n"
             : "\nEvery row can be read. With --model, lengths and supervision are checked too.\n";
}

}  // namespace

std::string check_page(const Survey& survey, int show) {
  const char* unit = survey.tokens ? "tokens" : "characters";
  std::string text = files_table(survey) + "\n";
  if (!survey.splits[0].lengths.empty()) text += bars(survey.splits[0].lengths, unit);
  return text + bad_rows(survey, show) + length_problems(survey, show) +
         duplicate_problems(survey, show) + leak_problems(survey, show) + short_answers(survey) +
         verdict(survey);
}

std::string stats_page(const Survey& survey) {
  std::string text = files_table(survey);
  for (const SplitSurvey& split : survey.splits) {
    if (split.lengths.empty()) continue;
    text += fmt::format("\n{}: {:.1f} messages per row; ", file_name(split),
                        static_cast<double>(split.messages) / std::max(split.rows, 1));
    text += bars(split.lengths, survey.tokens ? "tokens" : "characters");
  }
  if (survey.packing.empty()) return text;
  report::Table table;
  table.header = {"packed to", "rows", "filled"};
  for (const PackingSurvey& pack : survey.packing) {
    table.rows.push_back({grouped(pack.row_length), grouped(pack.rows),
                          fmt::format("{:.1f} %", 100.0 * pack.filled)});
  }
  return text + "\n" + file_name(survey.splits[0]) + ", several rows in one of fixed length\n" +
         report::to_text(table);
}

}  // namespace toolkit::data_check
