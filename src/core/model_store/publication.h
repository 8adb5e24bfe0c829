#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/model_store/inventory.h"

namespace toolkit::model_store {

/// A file of a model in another program's store.
struct PublishedFile {
  std::filesystem::path path;
  std::string name;  // the model's own file of that content; "" for one that was made for it
};

/// What mlx-cache made of one model in another program's store, by the records it keeps there. The
/// store's withdraw() takes these and nothing else.
struct Publication {
  Place place = Place::kHub;
  std::string name;  // as that program lists it: "hf.co/org/x:Q4_K_M"
  /// StoredModel::path in that store's inventory; empty where nothing is listed, or where a part of
  /// what is listed was not made by us.
  std::filesystem::path listing;
  std::vector<PublishedFile> files;
};

}  // namespace toolkit::model_store
