#include <nlohmann/json.hpp>

#include "projects/data/lengths.h"
#include "projects/data/survey.h"

namespace toolkit::data_check {
namespace {

using nlohmann::json;

constexpr int kBins = 20;

json to_json(const SplitSurvey& split, bool tokens) {
  const LengthSummary summary = summarize(split.lengths);
  json bins = json::array();
  for (const Bin& bin : histogram(split.lengths, kBins)) {
    bins.push_back({{"from", bin.from}, {"to", bin.to}, {"rows", bin.count}});
  }
  json bad = json::array();
  for (const data::BadRow& row : split.bad)
    bad.push_back({{"line", row.line}, {"reason", row.reason}});
  json result = {{"name", split.name},
                 {"file", split.file},
                 {"format", split.format},
                 {"rows", split.rows},
                 {"messages", split.messages},
                 {"bad_rows", bad},
                 {"total", summary.total},
                 {"length",
                  {{"min", summary.min},
                   {"mean", summary.mean},
                   {"p50", summary.p50},
                   {"p90", summary.p90},
                   {"p99", summary.p99},
                   {"max", summary.max}}},
                 {"histogram", bins}};
  if (tokens) {
    result["supervised_tokens"] = split.supervised;
    result["cut_lines"] = split.cut_lines;
    result["unsupervised_lines"] = split.unsupervised_lines;
    result["one_token_rows"] = split.one_token_rows;
  }
  return result;
}

json pairs(const Survey& survey, const std::vector<data::Duplicate>& list) {
  json result = json::array();
  for (const data::Duplicate& pair : list) {
    result.push_back({{"file", survey.splits[pair.again.split].file},
                      {"line", pair.again.line},
                      {"first_file", survey.splits[pair.first.split].file},
                      {"first_line", pair.first.line}});
  }
  return result;
}

}  // namespace

json to_json(const Survey& survey) {
  json splits = json::array(), packing = json::array();
  for (const SplitSurvey& split : survey.splits) splits.push_back(to_json(split, survey.tokens));
  for (const PackingSurvey& pack : survey.packing) {
    packing.push_back(
        {{"row_length", pack.row_length}, {"rows", pack.rows}, {"filled", pack.filled}});
  }
  return {{"path", survey.path},
          {"unit", survey.tokens ? "tokens" : "characters"},
          {"max_length", survey.max_length},
          {"unusable_rows", survey.unusable()},
          {"splits", splits},
          {"duplicates", pairs(survey, survey.duplicates)},
          {"leaks", pairs(survey, survey.leaks)},
          {"packing", packing}};
}

}  // namespace toolkit::data_check
