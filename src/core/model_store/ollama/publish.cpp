#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <span>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/checkpoint/gguf_header.h"
#include "core/files/folder.h"
#include "core/files/safe_path.h"
#include "core/hash/hasher.h"
#include "core/model_store/ollama/gguf_model.h"
#include "core/model_store/ollama/publication_record.h"
#include "core/model_store/ollama/store_folder.h"

namespace toolkit::model_store::ollama {

namespace fs = std::filesystem;

namespace {

constexpr const char* kThereAlready = "there already";
constexpr size_t kLongestManifest = size_t{64} << 20;
const files::LinkPolicy kPolicy = {files::LinkKind::kHardLink, files::LinkKind::kClone,
                                   files::LinkKind::kCopy};

/// One blob of a model that is to be shown: a file of our store, or bytes made for it.
struct Blob {
  Layer layer;
  fs::path source;  // empty: `bytes`
  std::string bytes;
};

struct Image {
  std::string manifest;  // its bytes
  std::vector<Blob> blobs;
  bool made = false;  // by us, from a GGUF
};

hash::Digest digest_of(const std::string& bytes) {
  return hash::hash_bytes(hash::Algorithm::kSha256,
                          std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

const FileRecord& record_of(const Metadata& metadata, const std::string& name) {
  for (const FileRecord& record : metadata.files)
    if (record.name == name) return record;
  fail(ErrorKind::kUserInput,
       "{}: expected the file '{}' in the cache, found none; `mlx-cache add "
       "{}` brings it again",
       metadata.name.uri(), files::escaped(name), metadata.name.uri());
}

/// A model from a registry: its own manifest, byte for byte.
Image image_of_manifest(const Metadata& metadata, const fs::path& folder) {
  Image image;
  record_of(metadata, kManifestFile);
  image.manifest = read_file(folder / kManifestFile, kLongestManifest);
  const Manifest manifest = parse_manifest(image.manifest, (folder / kManifestFile).string());
  for (const NamedLayer& named : named_layers(manifest)) {
    const FileRecord& record = record_of(metadata, named.name);
    if (record.sha256 != named.layer->digest.hex || record.size_bytes != named.layer->size_bytes)
      fail(ErrorKind::kUserInput,
           "{}: '{}' is not the content its manifest names (expected sha256 {}, found {}); run "
           "`mlx-cache verify {}`",
           metadata.name.uri(), named.name, named.layer->digest.hex, record.sha256,
           metadata.name.uri());
    image.blobs.push_back({*named.layer, folder / named.name, {}});
  }
  return image;
}

/// A plain GGUF: what Ollama keeps beside it is made from its header.
Image image_of_gguf(const Metadata& metadata, const fs::path& folder, const std::string& gguf,
                    const std::string& projector) {
  Image image{.made = true};
  Manifest manifest;
  const auto add = [&](const char* kind, Blob blob) {
    blob.layer.media_type = std::string(kLayerType) + kind;
    manifest.layers.push_back(blob.layer);
    image.blobs.push_back(std::move(blob));
  };
  const auto file = [&](const std::string& name) {
    const FileRecord& record = record_of(metadata, name);
    Layer layer;
    layer.digest = {hash::Algorithm::kSha256, record.sha256};
    layer.size_bytes = record.size_bytes;
    return Blob{layer, folder / name, {}};
  };
  const auto text = [&](std::string bytes) {
    Layer layer;
    layer.digest = digest_of(bytes);
    layer.size_bytes = bytes.size();
    return Blob{layer, {}, std::move(bytes)};
  };
  const auto header = checkpoint::read_gguf_header(folder / gguf);
  add("model", file(gguf));
  if (!projector.empty()) add("projector", file(projector));
  const ConversationBlobs conversation = conversation_of_gguf(header);
  if (!conversation.template_text.empty()) {
    add("template", text(conversation.template_text));
    add("params", text(conversation.params));
  }
  std::vector<hash::Digest> digests;
  for (const Layer& layer : manifest.layers) digests.push_back(layer.digest);
  Blob config = text(config_of_gguf(header, digests));
  config.layer.media_type = kConfigType;
  manifest.config = config.layer;
  image.blobs.push_back(std::move(config));
  image.manifest = to_json_text(manifest);
  return image;
}

Image image_of(const Metadata& metadata, const fs::path& folder, const std::string& gguf,
               const std::string& projector) {
  return gguf.empty() ? image_of_manifest(metadata, folder)
                      : image_of_gguf(metadata, folder, gguf, projector);
}

/// Whether what lies at a digest's place is that content: a name is no proof.
bool is_content(const fs::path& path, const Blob& blob) {
  const auto there = files::resolved_identity(path);
  if (!there || there->kind != files::FileKind::kFile || there->size_bytes != blob.layer.size_bytes)
    return false;
  if (!blob.source.empty()) {
    const auto ours = files::resolved_identity(blob.source);
    if (ours && files::same_file(*ours, *there)) return true;
  }
  return hash::hash_file(path, hash::Algorithm::kSha256) == blob.layer.digest;
}

/// Writes bytes under a temporary name of `folder` that everybody may read, synced.
std::string write_temporary(const files::Folder& folder, const std::string& bytes) {
  const std::string name = files::temporary_name();
  const int descriptor = folder.create_file(name);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = ::write(descriptor, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const int reason = errno;
      ::close(descriptor);
      folder.remove_file(name);
      fail(ErrorKind::kIo, "{}: cannot write: {}", folder.path().string(), std::strerror(reason));
    }
    done += static_cast<size_t>(wrote);
  }
  ::fchmod(descriptor, 0644);
  files::sync_file(descriptor, folder.path() / name);
  ::close(descriptor);
  return name;
}

/// Temporaries of a process that died here: ours by their name, and old enough to be nobody's.
void remove_old_temporaries(const files::Folder& folder) {
  std::error_code error;
  for (fs::directory_iterator at(folder.path(), error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(files::kTemporaryPrefix)) continue;
    struct stat status = {};
    if (::lstat(at->path().c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        std::max(status.st_mtime, status.st_ctime) + 3600 < ::time(nullptr))
      folder.remove_file(name);
  }
}

/// Makes the blob's name; returns how. A start of Ollama takes a foreign name out of blobs/: then
/// once more.
std::string place_blob(const files::Folder& blobs, const Blob& blob) {
  const std::string name = "sha256-" + blob.layer.digest.hex;
  if (is_content(blobs.path() / name, blob)) return kThereAlready;
  for (int attempt = 0;; ++attempt) {
    std::string temporary, how = "written";
    try {
      if (blob.source.empty()) {
        temporary = write_temporary(blobs, blob.bytes);
      } else {
        temporary = files::temporary_name();
        how = files::link_kind_name(
            files::make_link(blob.source, blobs.path() / temporary, kPolicy).kind);
      }
      blobs.rename(temporary, name);
      return how;
    } catch (const Error&) {
      if (!temporary.empty()) blobs.remove_file(temporary);
      if (attempt == 1) throw;
    }
  }
}

/// What lies at a manifest's place, whoever wrote it.
std::optional<std::string> present_manifest(const fs::path& path) {
  if (!files::resolved_identity(path)) return std::nullopt;
  return read_file(path, kLongestManifest);
}

/// Whether that manifest is of the model with this GGUF.
bool is_of_model(const std::string& manifest, const hash::Digest& gguf) {
  try {
    const Manifest parsed = parse_manifest(manifest, "manifest");
    return parsed.model() && parsed.model()->digest == gguf;
  } catch (const Error&) {
    return false;
  }
}

/// Under a temporary name at the top of manifests/ (Ollama looks at the fourth level only), then
/// in its place. `before_rename` gets the temporary file.
void place_manifest(const fs::path& ollama_models, const fs::path& path, const std::string& bytes,
                    const std::function<void(const fs::path&)>& before_rename) {
  const files::Folder manifests = files::Folder::open_or_create(ollama_models / "manifests");
  remove_old_temporaries(manifests);
  const std::string relative = path.lexically_relative(ollama_models / "manifests").string();
  files::check_relative_path(relative, "name of an Ollama model");
  const files::Folder made = manifests.subfolder(fs::path(relative).parent_path().string(), true);
  const std::string temporary = write_temporary(manifests, bytes);
  try {
    before_rename(manifests.path() / temporary);
    manifests.rename(temporary, relative);
  } catch (const Error&) {
    manifests.remove_file(temporary);
    throw;
  }
}

std::string counted(const std::map<std::string, int>& kinds) {
  std::string text;
  for (const auto& [kind, count] : kinds)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, kind);
  return text;
}

/// Whether a blob is one file with ours: linked before it was published again, or by `sync`.
bool is_same_file(const fs::path& path, const fs::path& source) {
  if (source.empty()) return false;
  const auto there = files::identity_of(path);
  const auto ours = files::resolved_identity(source);
  return there && ours && files::same_file(*there, *ours);
}

std::set<std::string> digests_of(const Image& image) {
  std::set<std::string> digests;
  for (const Blob& blob : image.blobs) digests.insert(blob.layer.digest.hex);
  return digests;
}

/// Blobs among `digests` that no manifest but `except` names are removed. False, and nothing is
/// done, while a manifest cannot be read.
bool remove_unnamed(const fs::path& ollama_models, const std::set<std::string>& digests,
                    const fs::path& except) {
  if (digests.empty() || !files::resolved_identity(ollama_models / "blobs")) return true;
  std::vector<std::string> problems;
  const auto named = named_blobs(ollama_models, except, problems);
  if (!problems.empty()) return false;
  const files::Folder blobs = files::Folder::open(ollama_models / "blobs");
  for (const std::string& hex : digests)
    if (!named.contains(hex)) blobs.remove_file("sha256-" + hex);
  return true;
}

/// The manifest takes its place, the record knowing it before; then blobs of an older one of ours
/// go.
void replace_manifest(const fs::path& ollama_models, const OllamaName& name, const Image& image,
                      PublicationRecord& record) {
  const fs::path path = manifest_path(ollama_models, name);
  place_manifest(ollama_models, path, image.manifest, [&](const fs::path& temporary) {
    record.manifests.push_back(noted(temporary, image.manifest));
    write_record(ollama_models, name, record);
  });
  const std::set<std::string> current = digests_of(image);
  std::set<std::string> kept, old;
  for (const std::string& hex : record.blobs) (current.contains(hex) ? kept : old).insert(hex);
  if (record.manifests.size() == 1 && old.empty()) return;
  if (!remove_unnamed(ollama_models, old, {})) return;
  record = {{record.manifests.back()}, kept};
  write_record(ollama_models, name, record);
}

}  // namespace

std::string publish(const fs::path& ollama_models, const OllamaName& name, const Metadata& metadata,
                    const fs::path& model_folder, const std::string& gguf,
                    const std::string& projector) {
  const Image image = image_of(metadata, model_folder, gguf, projector);
  const fs::path path = manifest_path(ollama_models, name);
  const auto there = present_manifest(path);
  PublicationRecord record = read_record(ollama_models, name).value_or(PublicationRecord());
  const bool ours = there && record.has(path, *there);
  const bool theirs = there && *there != image.manifest && !ours;
  // A GGUF that Ollama has under this name keeps its own template and parameters.
  const bool same_model = theirs && image.made && is_of_model(*there, image.blobs[0].layer.digest);
  if (theirs && !same_model)
    return fmt::format(
        "left alone: Ollama has another model of the name {}; `ollama rm` it to show this one",
        to_model_name(name).identifier);
  const files::Folder blobs = files::Folder::open_or_create(ollama_models / "blobs");
  remove_old_temporaries(blobs);
  if (!there || ours) {
    const PublicationRecord before = record;
    for (const std::string& hex : digests_of(image))
      if (!blobs.find("sha256-" + hex)) record.blobs.insert(hex);
    if (!there || record != before) write_record(ollama_models, name, record);
  }
  std::map<std::string, int> kinds;
  for (const Blob& blob : image.blobs)
    if (!same_model || !blob.source.empty()) ++kinds[place_blob(blobs, blob)];
  if (!theirs && there != image.manifest) replace_manifest(ollama_models, name, image, record);
  return counted(kinds);
}

std::optional<Publication> published(const fs::path& ollama_models, const OllamaName& name,
                                     const Metadata& metadata, const fs::path& model_folder) {
  const auto record = read_record(ollama_models, name);
  if (!record) return std::nullopt;
  const fs::path path = manifest_path(ollama_models, name);
  const auto there = present_manifest(path);
  if (there && !record->has(path, *there)) return std::nullopt;
  Publication publication{.place = Place::kOllama, .name = to_model_name(name).identifier};
  if (there) publication.listing = path;
  std::set<std::string> made = record->blobs;
  for (const FileRecord& file : metadata.files) {
    const fs::path blob = blob_path(ollama_models, {hash::Algorithm::kSha256, file.sha256});
    if (made.erase(file.sha256) > 0 || is_same_file(blob, model_folder / file.name))
      publication.files.push_back({blob, file.name});
  }
  for (const std::string& hex : made)
    publication.files.push_back({blob_path(ollama_models, {hash::Algorithm::kSha256, hex}), ""});
  return publication;
}

bool withdraw(const fs::path& ollama_models, const OllamaName& name, const Metadata& metadata,
              const fs::path& model_folder, const std::string& gguf, const std::string& projector) {
  const auto record = read_record(ollama_models, name);
  if (!record) {
    remove_empty_record_folders(ollama_models, name);
    return false;
  }
  const fs::path path = manifest_path(ollama_models, name);
  const auto there = present_manifest(path);
  if (there && !record->has(path, *there)) return false;
  std::set<std::string> digests = record->blobs;
  for (const Blob& blob : image_of(metadata, model_folder, gguf, projector).blobs)
    if (is_same_file(blob_path(ollama_models, blob.layer.digest), blob.source))
      digests.insert(blob.layer.digest.hex);
  std::vector<std::string> problems;
  named_blobs(ollama_models, path, problems);
  if (!problems.empty()) return false;
  if (there) {
    const files::Folder manifests = files::Folder::open(ollama_models / "manifests");
    manifests.remove_file(path.lexically_relative(ollama_models / "manifests").string());
  }
  remove_empty_folders(path.parent_path(), ollama_models / "manifests");  // as Ollama's own `rm`
  if (!remove_unnamed(ollama_models, digests, path)) return false;
  remove_record(ollama_models, name);
  return there.has_value();
}

}  // namespace toolkit::model_store::ollama
