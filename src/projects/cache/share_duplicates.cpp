#include "projects/cache/share_duplicates.h"

#include <optional>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/progress.h"
#include "core/files/disk_space.h"
#include "core/hash/digest.h"

namespace toolkit::cache {

using model_store::StoredFile;

namespace {

constexpr int64_t kMegabyte = 1'000'000;

model_store::SharingPlan plan_with_memory(Session& session,
                                          const std::vector<model_store::Inventory>& inventories,
                                          const SharingRequest& request, bool quiet,
                                          uint64_t& read_bytes) {
  std::optional<Progress> progress;  // nothing is said when every hash was remembered
  const auto hash_of = [&](const StoredFile& file) -> hash::Digest {
    std::optional<std::string> sha256 = session.hashes().recall(file.identity);
    if (!sha256) {
      if (!progress) progress.emplace("reading MB", 0, quiet);
      sha256 = session.hashes().of(file.path, [&](uint64_t done) {
        progress->update(static_cast<int64_t>(read_bytes + done) / kMegabyte, file.name);
      });
      read_bytes += file.identity.size_bytes;
    }
    return {hash::Algorithm::kSha256, *sha256};
  };
  auto plan = model_store::plan_sharing(
      inventories, hash_of, {.link = narrower_link(session.settings().link, request.link)});
  if (progress) progress->finish();
  return plan;
}

int64_t names_to_replace(const model_store::SharingPlan& plan) {
  int64_t names = 0;
  for (const auto& duplicate : plan.duplicates)
    names += static_cast<int64_t>(duplicate.replace.size());
  return names;
}

}  // namespace

SharingResult share_duplicates(Session& session,
                               const std::vector<model_store::Inventory>& inventories,
                               const SharingRequest& request, const cli::Context& context) {
  const bool quiet = context.quiet || context.json;
  if (!request.options.dry_run) files::recover_journals(session.layout().journal());
  SharingResult result;
  result.plan = plan_with_memory(session, inventories, request, quiet, result.read_bytes);
  const int64_t names = names_to_replace(result.plan);
  if (request.options.dry_run || names == 0) return result;
  confirm(fmt::format("Replace {} {} by links to equal content ({} will be free)?", names,
                      names == 1 ? "file" : "files", files::shown_bytes(result.plan.freed_bytes)),
          request.options, context);
  const InterruptGuard guard;
  Progress progress("linking", names, quiet);
  result.report = model_store::apply_sharing(result.plan, session.layout().journal(), request.title,
                                             [&](int64_t done, int64_t) { progress.update(done); });
  progress.finish();
  result.interrupted = InterruptGuard::requested();
  for (const model_store::SharedFile& file : result.report.replaced)
    session.registry().note_saving(file.path, place_name(file.place),
                                   files::link_kind_name(file.link), file.freed_bytes,
                                   result.report.journal);
  return result;
}

files::UndoReport undo_sharing(Session& session,
                               const std::function<bool(const std::string& title)>& matches,
                               bool one, const cli::Context& context) {
  const auto& folder = session.layout().journal();
  files::recover_journals(folder);
  files::UndoReport all;
  int64_t journals = 0;
  for (const files::JournalSummary& journal : files::list_journals(folder)) {
    if (!matches(journal.title) || journal.steps == journal.undone) continue;
    std::optional<Progress> progress;
    const auto tell = [&](uint64_t done, uint64_t total) {
      if (!progress)
        progress.emplace("copying MB", static_cast<int64_t>(total) / kMegabyte,
                         context.quiet || context.json);
      progress->update(static_cast<int64_t>(done) / kMegabyte);
    };
    const files::UndoReport report = files::undo_journal(folder, journal.id, tell);
    if (progress) progress->finish();
    all.restored += report.restored;
    all.already_own += report.already_own;
    all.skipped.insert(all.skipped.end(), report.skipped.begin(), report.skipped.end());
    all.clones.insert(all.clones.end(), report.clones.begin(), report.clones.end());
    session.registry().forget_savings(journal.id);
    ++journals;
    if (one) break;
  }
  if (journals == 0)
    fail(ErrorKind::kNotFound, "nothing to undo: no file that was replaced is still shared");
  return all;
}

std::string narrower_link(const std::string& setting, const std::string& given) {
  if (given == "auto") return setting;
  if (setting == "auto" || setting == given) return given;
  fail(ErrorKind::kUserInput,
       "--link {}: the setting 'link' allows only {}; `mlx-cache config link auto` allows both",
       given, setting);
}

}  // namespace toolkit::cache
