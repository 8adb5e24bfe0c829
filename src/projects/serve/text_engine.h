#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/batch/batch_engine.h"
#include "engine/batch/request.h"
#include "engine/language_model.h"

namespace toolkit::serve {

/// What the routes need of a model that generates: engine::BatchEngine, or in tests one that says
/// what the test wants. The functions are those of BatchEngine.
class TextEngine {
 public:
  virtual ~TextEngine() = default;
  virtual std::optional<uint64_t> submit(engine::BatchRequest request,
                                         engine::BatchListener listener) = 0;
  virtual void cancel(uint64_t id) = 0;
  virtual void between_steps(const std::function<void()>& work) = 0;
  virtual void load_adapter(const std::string& name, const std::filesystem::path& folder) = 0;
  virtual void unload_adapter(const std::string& name) = 0;
  virtual std::vector<std::string> adapters() const = 0;
  virtual void drain(double seconds) = 0;
  virtual bool healthy() const = 0;
  virtual engine::BatchState state() const = 0;
  virtual const engine::LanguageModel& model() const = 0;
  virtual int context_tokens() const = 0;  // prompt and answer together
};

std::unique_ptr<TextEngine> make_batch_engine(engine::LanguageModel model,
                                              const engine::BatchOptions& options);

}  // namespace toolkit::serve
