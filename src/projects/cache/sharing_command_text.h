#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/cli/command.h"
#include "projects/cache/share_duplicates.h"

namespace toolkit::cache {

/// --link of `sync` and `adopt`.
Field link_field(std::string& link);

/// The part of the result object that `sync` and `adopt` share: "duplicates", "replaced",
/// "left_alone", "freed_bytes", "read_bytes", "journal".
nlohmann::json sharing_to_json(const SharingResult& result);

/// The same for people: what was (or, with dry_run, would be) replaced and freed, what stays and
/// why, and how to take it back. `undo` is the command for that.
void print_sharing(const SharingResult& result, const Options& options, const std::string& undo);

nlohmann::json undo_to_json(const files::UndoReport& report);
void print_undo(const files::UndoReport& report);

}  // namespace toolkit::cache
