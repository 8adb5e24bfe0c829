#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/files/link.h"
#include "core/http/download.h"
#include "core/model_store/layout.h"
#include "core/model_store/metadata.h"
#include "core/model_store/registry/registry.h"

namespace toolkit::model_store {

/// One file that a source offers: what it must be, and how to get it.
struct OfferedFile {
  std::string name;  // checked relative path in the model's folder
  uint64_t size_bytes = 0;
  hash::Digest digest;
  http::Request request;             // for downloads
  std::filesystem::path local_path;  // for file:// and copies on this machine; then no request
};

/// All of a model at one revision, as hub::offer(), ollama::offer() or folders::offer() made it.
struct Offer {
  ModelName name;
  std::string revision, endpoint;
  std::vector<OfferedFile> files;
  bool partial = false;  // Metadata::partial
};

/// A file on this machine whose content was verified by hash, and how a model of ours may share it.
struct FoundCopy {
  std::filesystem::path path;
  files::LinkPolicy policy;  // a copy is always tried last
};

/// What will happen, known before anything does; --dry-run prints it.
struct FetchPlan {
  Offer offer;
  std::vector<size_t> present, shared, download;  // indices of offer.files
  std::vector<FoundCopy> shared_from;             // beside `shared`
  bool complete = false;                          // the model is there as offered: nothing to do
  uint64_t download_bytes = 0, disk_bytes = 0;    // disk: what the file system will lose
};

/// Where that content is, if it is; empty: nowhere.
using FindOnMachine = std::function<std::optional<FoundCopy>(const OfferedFile&)>;

/// Throws Error(kUserInput): unsafe or equal file names, a model of the same name in other letters.
FetchPlan plan_fetch(const Layout& layout, Registry& registry, Offer offer,
                     const FindOnMachine& find);

/// Carries the plan out: space checked, downloads into incoming/, each verified, then linked into
/// models/.<folder>.new, metadata last, the folder renamed into place, the row written. A second
/// process that wants the same model waits and finds it done; one that wants the same content for
/// another model waits for that and links it. `events` name files by their index in the offer.
/// Throws as download_files; what was fetched stays in incoming/ for the next call. Returns the
/// row.
ModelRecord fetch_model(http::Client& client, const Layout& layout, Registry& registry,
                        const FetchPlan& plan, const http::DownloadSettings& settings,
                        const http::DownloadEvents& events);

}  // namespace toolkit::model_store
