#include "projects/finetune/config_groups.h"

namespace toolkit::finetune {

void describe_input(Config& c, Fields& fields) {
  fields.push_back({.name = "model",
                    .target = &c.model,
                    .help = "folder, .gguf file or sample://smollm2-135m",
                    .group = "Input and output",
                    .short_name = "m",
                    .required = true});
  fields.push_back(
      {.name = "data",
       .target = &c.data,
       .help =
           "folder with train.jsonl (and valid.jsonl, test.jsonl), or one file; .json, .csv, .tsv "
           "and .parquet will do too; several: a.jsonl:0.7,b.jsonl:0.3",
       .group = "Input and output",
       .short_name = "d",
       .required = true});
  fields.push_back({.name = "columns",
                    .target = &c.columns,
                    .help = "the file's own names: prompt=question,completion=answer.text",
                    .group = "Input and output"});
  fields.push_back({.name = "valid-share",
                    .target = &c.valid_share,
                    .help = "share of one file's rows kept for validation; equal questions stay "
                            "together",
                    .group = "Input and output",
                    .minimum = 0,
                    .maximum = 0.9});
  fields.push_back({.name = "output",
                    .target = &c.output,
                    .help = "folder for the adapter and what was measured",
                    .group = "Input and output",
                    .short_name = "o"});
}

}  // namespace toolkit::finetune
