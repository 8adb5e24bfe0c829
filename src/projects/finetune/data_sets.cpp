#include "projects/finetune/data_sets.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/data/data_set.h"

namespace toolkit::finetune {

data::Splits read_rows(const Config& config) {
  data::Splits splits = data::read_data_set(config.data, data::Columns(config.columns),
                                            config.valid_share, static_cast<uint64_t>(config.seed));
  if (!splits.bad.empty() && !config.skip_bad_rows) {
    std::string lines;
    for (size_t i = 0; i < std::min<size_t>(splits.bad.size(), 5); ++i)
      lines += fmt::format("\n  {}:{}: {}", splits.bad[i].file, splits.bad[i].line,
                           splits.bad[i].reason);
    if (splits.bad.size() > 5) lines += fmt::format("\n  and {} more", splits.bad.size() - 5);
    fail(ErrorKind::kUserInput,
         "{} rows cannot be used; mend them (`mlx-toolkit data check {}` lists all) or leave them "
         "out with "
         "--skip-bad-rows:{}",
         splits.bad.size(), config.data, lines);
  }
  if (splits.format == "preference")
    fail(ErrorKind::kUserInput,
         "{} holds preference rows (chosen/rejected); supervised fine-tuning needs one answer: "
         "messages or prompt/completion rows",
         config.data);
  if (splits.train.empty())
    fail(
        ErrorKind::kUserInput,
        "{} has no usable training row; expected JSON lines such as "
        R"({{"messages": [{{"role": "user", "content": "..."}}, {{"role": "assistant", "content": "..."}}]}})",
        config.data);
  return splits;
}

TokenizedSet tokenize(const std::vector<data::Row>& rows, const std::string& name,
                      const engine::LanguageModel& model, int max_length) {
  TokenizedSet set;
  for (const data::Row& row : rows) {
    data::Sample sample =
        data::make_sample(row, *model.tokenizer, model.chat, model.eos_id, max_length);
    if (sample.truncated) ++set.truncated;
    if (sample.supervised_count() == 0) {
      ++set.unsupervised;
    } else {
      set.samples.push_back(std::move(sample));
    }
  }
  if (!rows.empty() && set.samples.empty())
    fail(ErrorKind::kUserInput,
         "none of the {} {} rows has anything to learn: {} were cut to {} tokens before the first "
         "answer{}",
         rows.size(), name, set.truncated, max_length,
         set.truncated > 0 ? "; give a larger --max-length"
                           : " and the rest have no answer of the assistant");
  return set;
}

}  // namespace toolkit::finetune
