#include "core/data/row_source.h"
#include "fuzz/target.h"

/// An array of rows, or one row per line.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  return fuzz::expect_no_crash([&] {
    const auto rows = data::open_row_source(fuzz::as_file(data, size, "rows.json"));
    for (data::SourceRow row; rows->next(row);) continue;
  });
}
