#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/log.h"
#include "core/model_store/sharing/sharing_plan.h"

namespace toolkit::model_store {

namespace {

void replace_one(files::ReplaceJournal& journal, const Duplicate& duplicate, size_t index,
                 SharingReport& report) {
  const StoredFile& file = duplicate.replace[index];
  const files::ReplaceOutcome outcome = journal.replace({.path = file.path,
                                                         .keep = duplicate.keep.path,
                                                         .path_before = file.identity,
                                                         .keep_before = duplicate.keep.identity,
                                                         .sha256 = duplicate.sha256,
                                                         .policy = file.policy});
  if (outcome.result == files::ReplaceResult::kAlreadyShared) return;
  if (outcome.result != files::ReplaceResult::kDone) {
    log_warning("{}: not shared: {}", file.path.string(), outcome.reason);
    report.skipped.push_back({file.path, duplicate.size_bytes, outcome.reason});
    return;
  }
  log_info("{}: {} of {}, {} bytes freed", file.path.string(),
           files::link_kind_name(outcome.link.kind), duplicate.keep.path.string(),
           outcome.freed_bytes);
  report.freed_bytes += outcome.freed_bytes;
  report.replaced.push_back({.path = file.path,
                             .place = duplicate.replace_places[index],
                             .link = outcome.link.kind,
                             .reason = outcome.link.reason,
                             .freed_bytes = outcome.freed_bytes});
}

}  // namespace

SharingReport apply_sharing(const SharingPlan& plan, const std::filesystem::path& journal_folder,
                            const std::string& title,
                            const std::function<void(int64_t done, int64_t total)>& progress) {
  SharingReport report;
  int64_t total = 0, done = 0;
  for (const Duplicate& duplicate : plan.duplicates)
    total += static_cast<int64_t>(duplicate.replace.size());
  if (total == 0) return report;
  files::ReplaceJournal journal(journal_folder, title);
  report.journal = journal.id();
  try {
    for (const Duplicate& duplicate : plan.duplicates) {
      for (size_t i = 0; i < duplicate.replace.size(); ++i) {
        if (InterruptGuard::requested()) break;
        replace_one(journal, duplicate, i, report);
        if (progress) progress(++done, total);
      }
    }
    journal.finish();
  } catch (const Error& error) {
    // Without a journal nothing more is replaced; what was done stands and is told.
    if (error.kind() != ErrorKind::kIo) throw;
    log_error("{}", error.what());
    report.stopped = error.what();
  }
  return report;
}

}  // namespace toolkit::model_store
