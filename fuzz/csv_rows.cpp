#include "core/data/row_source.h"
#include "fuzz/target.h"

/// A table of cells in quotes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  return fuzz::expect_no_crash([&] {
    const auto rows = data::open_row_source(fuzz::as_file(data, size, "rows.csv"));
    for (data::SourceRow row; rows->next(row);) continue;
  });
}
