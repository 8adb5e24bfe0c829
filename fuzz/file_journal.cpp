#include <cstdlib>

#include "core/files/journal_records.h"
#include "fuzz/target.h"

/// A journal of replaced files, by which `repair` and `--undo` act: whatever is taken has absolute
/// paths, temporary names of ours beside them, full digests, and ends within the text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  return fuzz::expect_no_crash([&] {
    const auto content = files::parse_journal(fuzz::as_text(data, size), "fuzz");
    if (!content) return;
    if (content->complete_bytes > size) std::abort();
    for (const files::JournalStep& step : content->steps) {
      if (!step.path.is_absolute() || !step.keep.is_absolute() || step.sha256.size() != 64)
        std::abort();
      for (const std::string& name : {step.temporary, step.undo_temporary})
        if (name.find('/') != std::string::npos) std::abort();
    }
  });
}
