#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/files/identity.h"
#include "core/files/link.h"
#include "core/hash/digest.h"
#include "core/model_store/name.h"

namespace toolkit::model_store {

/// The stores on a machine that hold models.
enum class Place { kCache, kHub, kOllama, kLmStudio, kJan, kFolder };
const char* place_name(Place place);  // "mlx-cache", "Hugging Face", "Ollama", ...

/// One file of a model as it lies in some store.
struct StoredFile {
  std::string name;            // inside the model: "model.safetensors"
  std::filesystem::path path;  // the regular file itself, links followed: what may be replaced
  files::Identity identity;
  std::optional<hash::Digest> claimed;  // by a name or metadata of the store: a hint, never a proof
  files::LinkPolicy policy;             // what this name may become; empty: leave it alone
};

struct StoredModel {
  ModelName name;
  Place place = Place::kFolder;
  std::filesystem::path path;  // folder (or manifest) that a person would look at
  std::vector<StoredFile> files;
  std::string revision;       // hub: commit; Ollama: digest of the manifest
  std::string not_shareable;  // why its files cannot serve others ("one blob per tensor"); or empty
};

/// What was found in one store. `problems` makes it incomplete: nothing is then taken for unused.
struct Inventory {
  Place place = Place::kFolder;
  std::filesystem::path root;
  std::vector<StoredModel> models;
  std::vector<std::string> problems;  // "<path>: <why it could not be read>"
  bool present = false;               // the store exists; false is no problem
};

/// A verified sha256 of a file, remembered or computed (registry/hash_memory.h).
using HashOfFile = std::function<hash::Digest(const StoredFile&)>;

}  // namespace toolkit::model_store
