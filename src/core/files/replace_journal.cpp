#include "core/files/replace_journal.h"

#include "core/base/error.h"

namespace toolkit::files {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

ReplaceJournal::ReplaceJournal(const std::filesystem::path&, const std::string&) {
  not_there_yet("ReplaceJournal");
}

ReplaceJournal::~ReplaceJournal() = default;

ReplaceOutcome ReplaceJournal::replace(const Replacement&) {
  not_there_yet("replace");
}

void ReplaceJournal::finish() {
  not_there_yet("finish");
}

std::vector<JournalSummary> list_journals(const std::filesystem::path&) {
  not_there_yet("list_journals");
}

int recover_journals(const std::filesystem::path&) {
  not_there_yet("recover_journals");
}

UndoReport undo_journal(const std::filesystem::path&, const std::string&,
                        const std::function<void(uint64_t done, uint64_t total)>&) {
  not_there_yet("undo_journal");
}

}  // namespace toolkit::files
