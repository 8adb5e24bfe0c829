#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

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
  std::string etag;
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

/// What will happen, known before anything does; --dry-run prints it.
struct FetchPlan {
  Offer offer;
  std::vector<size_t> present, shared, download;  // indices of offer.files
  std::vector<std::filesystem::path>
      shared_from;                              // beside `shared`: a verified copy on this machine
  uint64_t download_bytes = 0, disk_bytes = 0;  // disk: what the file system will lose
};

/// A file on this machine with that content, verified by hash, that may be linked; empty: none.
using FindOnMachine = std::function<std::optional<std::filesystem::path>(const hash::Digest&)>;

FetchPlan plan_fetch(const Layout& layout, Registry& registry, Offer offer,
                     const FindOnMachine& find);

/// Carries the plan out: space checked, downloads into incoming/, each verified, then linked into
/// models/.<folder>.new, metadata last, the folder renamed into place, the row written. A second
/// process that wants the same model waits and finds it done. Throws as download_files; what was
/// fetched stays in incoming/ for the next call. Returns the row.
ModelRecord fetch_model(http::Client& client, const Layout& layout, Registry& registry,
                        const FetchPlan& plan, const http::DownloadSettings& settings,
                        const http::DownloadEvents& events);

}  // namespace toolkit::model_store
