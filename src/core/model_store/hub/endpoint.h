#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/hash/digest.h"
#include "core/http/client.h"
#include "core/model_store/fetch/fetch.h"
#include "core/model_store/name.h"
#include "core/model_store/settings.h"

namespace toolkit::model_store::hub {

/// HF_TOKEN, else the token file (refused with a warning when others may read it). Read at use,
/// kept in no file of ours. Empty: none.
std::string read_token(const Environment& environment);

/// A file of a repository at one commit.
struct HubFile {
  std::string path;  // as published: not yet checked
  uint64_t size_bytes = 0;
  hash::Digest digest;   // lfs sha256, else git blob sha1
  std::string xet_hash;  // or empty
};

struct HubRepository {
  std::string repository, commit;  // the name as the hub spells it (renames followed)
  std::vector<HubFile> files;
};

/// The hub's REST protocol: revision, paged tree, resolve. Errors say the next step: gated (the
/// page to accept, HF_TOKEN), not found (nearest spelling, token for private ones), unknown
/// revision (the branches there are), offline (HF_HUB_OFFLINE), 429.
HubRepository read_repository(http::Client& client, const Environment& environment,
                              const HubName& name);

/// What `add hf://...` fetches. Hostile file names, two that differ in case only, sizes and digests
/// that are none: Error(kUserInput) before anything is written.
Offer make_offer(const Environment& environment, const HubName& name,
                 const HubRepository& repository, const std::vector<std::string>& allow,
                 const std::vector<std::string>& ignore);

/// Pure parsers of the hub's JSON, for tests and fuzzing.
HubRepository parse_revision(const std::string& json, const std::string& source);
std::vector<HubFile> parse_tree_page(const std::string& json, const std::string& source);
/// `Link: <...>; rel="next"`; empty: last page.
std::optional<std::string> next_page(const std::string& link_header);

}  // namespace toolkit::model_store::hub
