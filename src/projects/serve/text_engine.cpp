#include "projects/serve/text_engine.h"

namespace toolkit::serve {

namespace {

class Batch : public TextEngine {
 public:
  Batch(engine::LanguageModel model, const engine::BatchOptions& options)
      : engine_(std::move(model), options) {}
  std::optional<uint64_t> submit(engine::BatchRequest request,
                                 engine::BatchListener listener) override {
    return engine_.submit(std::move(request), std::move(listener));
  }
  void cancel(uint64_t id) override { engine_.cancel(id); }
  void between_steps(const std::function<void()>& work) override { engine_.between_steps(work); }
  void load_adapter(const std::string& name, const std::filesystem::path& folder) override {
    engine_.load_adapter(name, folder);
  }
  void unload_adapter(const std::string& name) override { engine_.unload_adapter(name); }
  std::vector<std::string> adapters() const override { return engine_.adapters(); }
  void drain(double seconds) override { engine_.drain(seconds); }
  bool healthy() const override { return engine_.healthy(); }
  engine::BatchState state() const override { return engine_.state(); }
  const engine::LanguageModel& model() const override { return engine_.model(); }
  int context_tokens() const override { return engine_.context_tokens(); }

 private:
  engine::BatchEngine engine_;
};

}  // namespace

std::unique_ptr<TextEngine> make_batch_engine(engine::LanguageModel model,
                                              const engine::BatchOptions& options) {
  return std::make_unique<Batch>(std::move(model), options);
}

}  // namespace toolkit::serve
