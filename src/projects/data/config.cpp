#include "projects/data/config.h"

namespace toolkit::data_check {

Fields describe(Config& config) {
  return {
      {.name = "path",
       .target = &config.path,
       .help = "folder with train.jsonl (and maybe valid.jsonl, test.jsonl), or one file; .json, "
               ".csv, .tsv "
               "and .parquet will do too",
       .required = true,
       .positional = true},
      {.name = "columns",
       .target = &config.columns,
       .help = "the file's own names of columns: prompt=question,completion=answer.text"},
      {.name = "model",
       .target = &config.model,
       .help = "count tokens as this model sees them: folder, .gguf file or sample://smollm2-135m",
       .short_name = "m"},
      {.name = "max-length",
       .target = &config.max_length,
       .help = "tokens per row that training keeps; longer rows are reported as cut",
       .minimum = 1,
       .maximum = 1 << 20},
      {.name = "show",
       .target = &config.show,
       .help = "name at most this many lines of each kind",
       .minimum = 0,
       .maximum = 1000000}};
}

}  // namespace toolkit::data_check
