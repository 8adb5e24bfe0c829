#include "projects/cache/find_copy.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/hash/hasher.h"

namespace toolkit::cache {

namespace {

using model_store::FoundCopy;
using model_store::Place;

/// Below that a file is fetched sooner than others are read for it.
constexpr uint64_t kSmallestUnclaimed = 1 << 20;

/// Programs with a store of their own only read or replace its files; elsewhere somebody may edit
/// them in place, so that a clone is tried first.
files::LinkPolicy policy_of(Place place) {
  using files::LinkKind;
  const bool managed = place == Place::kCache || place == Place::kHub || place == Place::kOllama;
  return managed ? files::LinkPolicy{LinkKind::kHardLink, LinkKind::kClone}
                 : files::LinkPolicy{LinkKind::kClone, LinkKind::kHardLink};
}

}  // namespace

CopyFinder::CopyFinder(Session& session, std::vector<model_store::Inventory> inventories)
    : session_(session) {
  for (const model_store::Inventory& inventory : inventories) {
    for (const model_store::StoredModel& model : inventory.models) {
      for (const model_store::StoredFile& file : model.files) {
        if (file.claimed)
          claimed_[file.claimed->hex].push_back({file, inventory.place});
        else if (file.identity.size_bytes >= kSmallestUnclaimed)
          unclaimed_[file.identity.size_bytes].push_back({file, inventory.place});
      }
    }
  }
}

std::optional<FoundCopy> CopyFinder::proven(const model_store::OfferedFile& wanted,
                                            const Candidate& candidate) {
  try {
    const auto now = files::resolved_identity(candidate.file.path);
    if (!now || now->kind != files::FileKind::kFile || now->size_bytes != wanted.size_bytes)
      return std::nullopt;
    const bool git = wanted.digest.algorithm == hash::Algorithm::kGitBlob;
    const std::string hex = git ? hash::hash_file(candidate.file.path, wanted.digest.algorithm).hex
                                : session_.hashes().of(candidate.file.path);
    if (hex == wanted.digest.hex) return FoundCopy{candidate.file.path, policy_of(candidate.place)};
    log_warning("{}: does not have the content that its name or size suggests",
                candidate.file.path.string());
  } catch (const Error& error) {  // unreadable for us, or written to right now: then it is fetched
    log_info("{}: not usable as a copy: {}", candidate.file.path.string(), error.what());
  }
  return std::nullopt;
}

std::optional<FoundCopy> CopyFinder::operator()(const model_store::OfferedFile& wanted) {
  if (wanted.digest.algorithm == hash::Algorithm::kSha256)
    for (const auto& path : session_.registry().files_with(wanted.digest.hex))
      if (auto copy = proven(wanted, {{.path = path}, Place::kCache})) return copy;
  const auto try_all = [&](const std::vector<Candidate>& candidates) -> std::optional<FoundCopy> {
    for (const Candidate& candidate : candidates)
      if (auto copy = proven(wanted, candidate)) return copy;
    return std::nullopt;
  };
  if (const auto known = claimed_.find(wanted.digest.hex); known != claimed_.end())
    if (auto copy = try_all(known->second)) return copy;
  if (const auto same_size = unclaimed_.find(wanted.size_bytes); same_size != unclaimed_.end())
    if (wanted.digest.algorithm == hash::Algorithm::kSha256) return try_all(same_size->second);
  return std::nullopt;
}

}  // namespace toolkit::cache
