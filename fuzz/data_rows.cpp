#include "core/data/chat_rows.h"
#include "fuzz/target.h"

/// A JSONL data set, every form of row.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  return fuzz::expect_no_crash([&] { data::read_rows(fuzz::as_file(data, size, "rows.jsonl")); });
}
