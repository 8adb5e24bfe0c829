#include "engine/evaluate/judged_rows.h"

#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/data/sample_store.h"
#include "core/data/samples.h"

namespace toolkit::engine {

namespace {

/// The first of the bad rows, and how many there are.
struct BadRows {
  std::optional<data::BadRow> first;
  size_t count = 0;

  void take(std::vector<data::BadRow>& rows) {
    if (!first && !rows.empty()) first = rows.front();
    count += rows.size();
    rows.clear();
  }
};

}  // namespace

JudgedRows read_judged_rows(const std::filesystem::path& file, const LanguageModel& model,
                            const JudgeOptions& options) {
  JudgedRows judged;
  data::SampleStore store(std::filesystem::temp_directory_path());
  data::RowReader reader(file, options.columns);
  std::vector<data::BadRow> passed;
  BadRows bad;
  int rows = 0;
  for (data::Row row; (options.limit == 0 || rows < options.limit) && reader.next(row, passed);) {
    ++rows;
    bad.take(passed);
    if (bad.count > 0) continue;  // nothing will be judged: the rest is only counted
    if (options.visit) options.visit(row);
    const data::Sample sample =
        data::make_sample(row, *model.tokenizer, model.chat, model.eos_id, options.max_length);
    judged.truncated += sample.truncated;
    if (sample.supervised_count() == 0)
      ++judged.left_out;
    else
      store.add(sample);
  }
  bad.take(passed);
  if (bad.first)
    fail(ErrorKind::kUserInput, "{}:{}: {}{}", bad.first->file, bad.first->line, bad.first->reason,
         bad.count > 1 ? fmt::format(" (and {} more bad rows; `mlx-toolkit data check` lists all)",
                                     bad.count - 1)
                       : "");
  if (rows == 0) fail(ErrorKind::kUserInput, "{} has no rows", file.string());
  if (store.empty())
    fail(ErrorKind::kUserInput, "{}: no row has an answer within {} tokens to judge by",
         file.string(), options.max_length);
  judged.samples = store.finish();
  return judged;
}

}  // namespace toolkit::engine
