#include "projects/cache/pull_through_ollama.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/base/progress.h"
#include "core/files/identity.h"
#include "core/http/client.h"
#include "core/model_store/ollama/manifest.h"
#include "core/model_store/ollama/registry_client.h"
#include "core/model_store/ollama/server.h"
#include "core/model_store/ollama/store_folder.h"

namespace toolkit::cache {

namespace fs = std::filesystem;

namespace {

constexpr size_t kLongestManifest = size_t{64} << 20;
constexpr uint64_t kMegabyte = 1'000'000;
constexpr std::chrono::minutes kLongestSilence{15};  // while it hashes what it pulled

/// One bar for each layer, as Ollama tells of them.
void pull(model_store::ollama::Server& server, const std::string& model, bool insecure,
          bool quiet) {
  std::unique_ptr<Progress> bar;
  std::string shown;
  server.pull(model, insecure, [&](const std::string& status, uint64_t done, uint64_t total) {
    if (total == 0) return;
    if (status != shown) {
      bar = std::make_unique<Progress>("Ollama: " + status + ", MB",
                                       static_cast<int64_t>((total + kMegabyte - 1) / kMegabyte),
                                       quiet);
      shown = status;
    }
    bar->update(static_cast<int64_t>((done + kMegabyte - 1) / kMegabyte));
  });
}

}  // namespace

model_store::Offer pull_through_ollama(Session& session, const model_store::OllamaName& name,
                                       bool quiet) {
  using namespace model_store::ollama;
  const std::string base = registry_base(name);
  const std::string model = model_store::to_model_name(name).identifier;
  http::ClientSettings patient;
  patient.stall_timeout = kLongestSilence;
  http::Client client(std::move(patient));
  Server server(client, session.environment().ollama_host);
  server.require();
  pull(server, model, base.starts_with("http://"), quiet);
  const fs::path& store = session.environment().ollama_models;
  const fs::path manifest = manifest_path(store, name);
  if (!files::resolved_identity(manifest))
    fail(ErrorKind::kNotFound,
         "ollama://{}: the Ollama at {} has it now, but not in {}; set OLLAMA_MODELS to the folder "
         "that this Ollama uses",
         model, session.environment().ollama_host, shown_path(store));
  const std::string bytes = read_file(manifest, kLongestManifest);
  model_store::Offer offer =
      make_offer(base, name, {bytes, parse_manifest(bytes, manifest.string()), ""});
  for (model_store::OfferedFile& file : offer.files)
    if (file.name == kManifestFile) file.local_path = manifest;
  return offer;
}

}  // namespace toolkit::cache
