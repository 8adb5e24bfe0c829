#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/text/grammar.h"
#include "projects/serve/model_names.h"
#include "projects/serve/text_engine.h"

namespace toolkit::serve {

/// A model in memory.
struct LoadedModel {
  std::string base;
  std::unique_ptr<TextEngine> engine;
  int64_t size_bytes = 0;  // planned: weights and the limit of the cache
  double load_seconds = 0;
  int64_t loaded_at = 0;  // seconds since 1970
  bool pinned = false;    // given at the start: stays

  /// With the adapters beside it.
  int64_t held_bytes() const { return size_bytes + engine->state().adapter_bytes; }
  /// Made at the first use. Throws Error(kUserInput) for a tokenizer that has none.
  const text::Grammars& grammars();

 private:
  friend class ModelPool;
  friend class ModelLease;
  std::mutex grammars_mutex_;
  std::unique_ptr<text::Grammars> grammars_;
  // Guarded by the pool's mutex:
  int uses_ = 0;
  double keep_alive_seconds_ = 300;  // negative: for ever
  std::chrono::steady_clock::time_point unused_since_{};
};

class ModelPool;

/// A model in use: it is not unloaded meanwhile.
class ModelLease {
 public:
  ModelLease(ModelPool& pool, LoadedModel& model, ServedModel served);
  ~ModelLease();
  ModelLease(ModelLease&& other) noexcept;
  ModelLease& operator=(ModelLease&&) = delete;
  LoadedModel& loaded() const { return *model_; }
  TextEngine& engine() const { return *model_->engine; }
  const ServedModel& served() const { return served_; }
  /// Of BatchRequest: "" for the base itself.
  std::string adapter() const { return served_.adapter.empty() ? "" : served_.name; }

 private:
  ModelPool* pool_;
  LoadedModel* model_;
  ServedModel served_;
};

/// What /api/ps and the metrics tell of a loaded model.
struct LoadedInfo {
  std::string base;
  std::vector<std::string> adapters;
  int64_t size_bytes = 0, loaded_at = 0;
  int context_tokens = 0;                    // 0: what the model has
  std::optional<double> expires_in_seconds;  // empty: stays
  bool healthy = true;
  engine::BatchState state;
};

/// What a model will hold, its cache when it is full.
struct PlannedBytes {
  int64_t least = 0;
  int64_t for_speed = 0;  // more, which it is faster with
};

struct PoolOptions {
  /// Loads a base model: reads weights, starts its engine. `fast`: it may hold `for_speed`, too.
  std::function<std::unique_ptr<TextEngine>(const std::string& base, bool fast)> load;
  /// Told without loading it.
  std::function<PlannedBytes(const std::string& base)> plan_bytes;
  std::function<int64_t()> available_bytes;  // on the machine now
  int64_t limit_bytes = 0;                   // of all together; 0: only what is available counts
  /// Less than this available, because other programs took it: unused models go one by one.
  int64_t low_bytes = 0;
  double keep_alive_seconds = 300;
};

/// The models in memory. One thread loads and unloads; several adapters of one base share its
/// engine. Unused models go after their time, and before it when another one or another program
/// needs the room.
class ModelPool {
 public:
  ModelPool(const ModelNames& names, PoolOptions options);
  ~ModelPool();

  using Then = std::function<void(ModelLease)>;
  using Failed = std::function<void(std::exception_ptr)>;
  /// Calls `then` with the model: at once if it is loaded, else from the loading thread. Throws
  /// ApiError(404) for an unknown name; what goes wrong later (ApiError 503 or 507 with the numbers
  /// when there is no room, what loading throws) goes to `failed`, and so does what `then` throws.
  void use(const std::string& name, std::optional<double> keep_alive, Then then, Failed failed);
  /// Waits for it. For the start of the program.
  void preload(const std::string& name);
  /// Unloads a base, or takes an adapter off, as soon as nobody uses it.
  void unload(const ServedModel& model);

  std::vector<LoadedInfo> loaded() const;
  /// What is available and not promised to the caches of loaded models.
  int64_t free_bytes() const;
  /// Throws ApiError(507) with the numbers where that is less than `bytes`.
  void check_room(const std::string& base, int64_t bytes) const;
  /// Whether other programs took so much that what is not in use should go (PoolOptions).
  bool short_of_memory() const;
  /// Lets what runs finish, for at most `seconds`.
  void drain(double seconds);

 private:
  friend class ModelLease;
  struct Waiting {
    ServedModel served;
    std::optional<double> keep_alive;
    Then then;
    Failed failed;
  };
  void work();
  void serve(Waiting waiting);
  LoadedModel& load(const std::string& base);
  bool make_room(const std::string& base, const PlannedBytes& plan);
  int64_t unpromised_bytes() const;
  bool is_ready(const ServedModel& served) const;
  ModelLease lease(const ServedModel& served, std::optional<double> keep_alive);
  void unload_expired();
  void release(LoadedModel& model);

  const ModelNames& names_;
  PoolOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::unique_ptr<LoadedModel>> loaded_;  // by base
  std::deque<Waiting> waiting_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace toolkit::serve
