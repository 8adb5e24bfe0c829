#include "core/model_store/inventory.h"

namespace toolkit::model_store {

const char* place_name(Place place) {
  switch (place) {
    case Place::kCache:
      return "mlx-cache";
    case Place::kHub:
      return "Hugging Face";
    case Place::kOllama:
      return "Ollama";
    case Place::kLmStudio:
      return "LM Studio";
    case Place::kJan:
      return "Jan";
    case Place::kFolder:
      return "folder";
  }
  return "";
}

}  // namespace toolkit::model_store
