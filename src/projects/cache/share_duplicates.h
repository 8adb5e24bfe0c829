#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/files/replace_journal.h"
#include "core/model_store/sharing/sharing_plan.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

/// What `sync` and `adopt` ask for.
struct SharingRequest {
  std::string title;  // of the journal: "sync", "adopt /home/ann/models"
  std::string link = "auto";
  Options options;
};

struct SharingResult {
  model_store::SharingPlan plan;
  model_store::SharingReport report;  // empty with dry_run
  uint64_t read_bytes = 0;            // hashed now; the rest was remembered
  bool interrupted = false;
};

/// Plans, asks unless --yes, replaces, notes the savings. Journals of processes that died are
/// brought to their end first.
SharingResult share_duplicates(Session& session,
                               const std::vector<model_store::Inventory>& inventories,
                               const SharingRequest& request, const cli::Context& context);

/// The way back of the newest journals whose title `matches` (only the first one if `one`). Throws
/// Error(kNotFound) if nothing is left to undo.
files::UndoReport undo_sharing(Session& session,
                               const std::function<bool(const std::string& title)>& matches,
                               bool one, const cli::Context& context);

/// Settings::link and the command's --link: the narrower of the two.
std::string narrower_link(const std::string& setting, const std::string& given);

}  // namespace toolkit::cache
