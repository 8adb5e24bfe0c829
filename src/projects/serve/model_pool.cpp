#include "projects/serve/model_pool.h"

#include <algorithm>
#include <future>

#include "core/base/elapsed.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/model_store/utc_time.h"
#include "core/tensor/backend.h"
#include "projects/serve/api_error.h"

namespace toolkit::serve {

namespace {

using Clock = std::chrono::steady_clock;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

double gigabytes(int64_t bytes) {
  return static_cast<double>(bytes) / 1e9;
}

[[noreturn]] void refuse(const std::string& base, int64_t needed, int64_t room, int64_t busy) {
  ApiError error(
      busy > 0 ? 503 : 507,
      fmt::format("{} needs {:.2f} GB of memory and {:.2f} GB are free{}", base, gigabytes(needed),
                  gigabytes(room),
                  busy > 0 ? fmt::format("; models in use hold {:.2f} GB", gigabytes(busy))
                           : std::string()));
  if (busy > 0) error.retry_after_seconds = 10;
  throw error;
}

/// The system gets the memory back: what is planned next asks it how much there is.
void free_model(std::unique_ptr<LoadedModel> model, const std::string& why) {
  const std::string base = model->base;
  model.reset();
  tensor::give_memory_back();
  log_info("{} is unloaded{}", base, why);
}

}  // namespace

const text::Grammars& LoadedModel::grammars() {
  const std::lock_guard lock(grammars_mutex_);
  if (!grammars_)
    grammars_ =
        std::make_unique<text::Grammars>(engine->model().tokenizer, engine->model().stop_ids);
  return *grammars_;
}

ModelLease::ModelLease(ModelPool& pool, LoadedModel& model, ServedModel served)
    : pool_(&pool), model_(&model), served_(std::move(served)) {}

ModelLease::ModelLease(ModelLease&& other) noexcept
    : pool_(other.pool_), model_(other.model_), served_(std::move(other.served_)) {
  other.model_ = nullptr;
}

ModelLease::~ModelLease() {
  if (model_) pool_->release(*model_);
}

ModelPool::ModelPool(const ModelNames& names, PoolOptions options)
    : names_(names), options_(std::move(options)), thread_([this] { work(); }) {}

ModelPool::~ModelPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
  waiting_.clear();
  // Ends what runs: their listeners get kCancelled and give their leases back.
  for (const auto& [base, model] : loaded_) model->engine->drain(0);
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(30), [this] {
    return std::all_of(loaded_.begin(), loaded_.end(),
                       [](const auto& one) { return one.second->uses_ == 0; });
  });
  auto last = std::move(loaded_);
  lock.unlock();
  last.clear();
}

bool ModelPool::is_ready(const ServedModel& served) const {
  const auto found = loaded_.find(served.base);
  return found != loaded_.end() &&
         (served.adapter.empty() || contains(found->second->engine->adapters(), served.name));
}

ModelLease ModelPool::lease(const ServedModel& served, std::optional<double> keep_alive) {
  LoadedModel& model = *loaded_.at(served.base);
  if (!model.engine->healthy())
    throw ApiError(500, served.base + ": its engine ended by an error; restart the server");
  if (keep_alive) model.keep_alive_seconds_ = *keep_alive;
  if (keep_alive && *keep_alive >= 0) model.pinned = false;
  ++model.uses_;
  return ModelLease(*this, model, served);
}

void ModelPool::release(LoadedModel& model) {
  {
    const std::lock_guard lock(mutex_);
    --model.uses_;
    model.unused_since_ = Clock::now();
  }
  changed_.notify_all();
}

void ModelPool::use(const std::string& name, std::optional<double> keep_alive, Then then,
                    Failed failed) {
  ServedModel served = names_.find(name);
  std::optional<ModelLease> ready;
  {
    const std::lock_guard lock(mutex_);
    if (ending_) throw ApiError(503, "the server ends");
    if (is_ready(served))
      ready.emplace(lease(served, keep_alive));
    else
      waiting_.push_back({std::move(served), keep_alive, std::move(then), std::move(failed)});
  }
  if (!ready) return changed_.notify_all();
  try {
    then(std::move(*ready));
  } catch (...) {
    failed(std::current_exception());
  }
}

void ModelPool::preload(const std::string& name) {
  std::promise<void> done;
  use(
      name, -1.0,
      [&](ModelLease lease) {
        {
          const std::lock_guard lock(mutex_);
          lease.loaded().pinned = true;
        }
        done.set_value();
      },
      [&](std::exception_ptr error) { done.set_exception(error); });
  try {
    done.get_future().get();
  } catch (const ApiError& error) {  // no client is told, but who starts the program
    throw Error(error.status >= 500 ? ErrorKind::kOutOfMemory : ErrorKind::kUserInput,
                error.what());
  }
}

void ModelPool::work() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (waiting_.empty()) {
      changed_.wait_for(lock, std::chrono::milliseconds(200));
    } else {
      Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      serve(std::move(next));
      lock.lock();
    }
    lock.unlock();
    unload_expired();
    lock.lock();
  }
}

void ModelPool::serve(Waiting waiting) {
  try {
    LoadedModel& model = load(waiting.served.base);
    if (!waiting.served.adapter.empty() && !contains(model.engine->adapters(), waiting.served.name))
      model.engine->load_adapter(waiting.served.name, waiting.served.adapter);
    std::optional<ModelLease> ready;
    {
      const std::lock_guard lock(mutex_);
      ready.emplace(lease(waiting.served, waiting.keep_alive));
    }
    waiting.then(std::move(*ready));
  } catch (...) {
    waiting.failed(std::current_exception());
  }
}

/// Only the loading thread changes loaded_, so that what it finds stays without the mutex.
LoadedModel& ModelPool::load(const std::string& base) {
  if (const auto found = loaded_.find(base); found != loaded_.end()) return *found->second;
  const auto begin = Clock::now();
  const PlannedBytes plan = options_.plan_bytes(base);
  const bool fast = make_room(base, plan);
  const int64_t bytes = plan.least + (fast ? plan.for_speed : 0);
  auto model = std::make_unique<LoadedModel>();
  model->base = base;
  model->engine = options_.load(base, fast);
  model->size_bytes = bytes;
  model->load_seconds = seconds_since(begin);
  model->loaded_at = model_store::now_s();
  model->keep_alive_seconds_ = options_.keep_alive_seconds;
  model->unused_since_ = Clock::now();
  log_info("{} is loaded ({:.1f} s, {:.2f} GB)", base, model->load_seconds, gigabytes(bytes));
  const std::lock_guard lock(mutex_);
  return *(loaded_[base] = std::move(model));
}

int64_t ModelPool::free_bytes() const {
  const std::lock_guard lock(mutex_);
  return unpromised_bytes();
}

void ModelPool::check_room(const std::string& base, int64_t bytes) const {
  if (const int64_t room = free_bytes(); bytes > room) refuse(base, bytes, room, 0);
}

bool ModelPool::short_of_memory() const {
  return options_.low_bytes > 0 && options_.available_bytes() < options_.low_bytes;
}

int64_t ModelPool::unpromised_bytes() const {
  int64_t bytes = options_.available_bytes();
  for (const auto& [base, model] : loaded_) {
    const engine::BatchState state = model->engine->state();
    bytes -= std::max<int64_t>(0, state.cache_bytes_limit - state.cache_bytes_used);
  }
  return bytes;
}

/// Unloads what nobody uses, the longest unused first, until there is room, and tells whether there
/// is enough for speed.
bool ModelPool::make_room(const std::string& base, const PlannedBytes& plan) {
  for (;;) {
    std::unique_ptr<LoadedModel> oldest;
    {
      const std::lock_guard lock(mutex_);
      int64_t held = 0, busy = 0;
      auto unused = loaded_.end();
      for (auto one = loaded_.begin(); one != loaded_.end(); ++one) {
        const int64_t bytes = one->second->held_bytes();
        held += bytes;
        if (one->second->uses_ > 0 || one->second->pinned)
          busy += bytes;
        else if (unused == loaded_.end() ||
                 one->second->unused_since_ < unused->second->unused_since_)
          unused = one;
      }
      int64_t room = unpromised_bytes();
      if (options_.limit_bytes > 0) room = std::min(room, options_.limit_bytes - held);
      if (plan.least + plan.for_speed <= room) return true;
      if (unused == loaded_.end()) {
        if (plan.least <= room) return false;
        refuse(base, plan.least, std::max<int64_t>(room, 0), busy);
      }
      oldest = std::move(unused->second);
      loaded_.erase(unused);
    }
    free_model(std::move(oldest), fmt::format(": {} needs the room", base));
  }
}

void ModelPool::unload_expired() {
  std::vector<std::unique_ptr<LoadedModel>> expired;
  {
    const std::lock_guard lock(mutex_);
    const bool short_now = !loaded_.empty() && short_of_memory();
    for (auto one = loaded_.begin(); one != loaded_.end();) {
      LoadedModel& model = *one->second;
      const bool unused = model.uses_ == 0 && !model.pinned;
      const bool late = model.keep_alive_seconds_ >= 0 &&
                        seconds_since(model.unused_since_) >= model.keep_alive_seconds_;
      const bool over = unused && (late || (short_now && expired.empty()));
      if (over) expired.push_back(std::move(one->second));
      one = over ? loaded_.erase(one) : std::next(one);
    }
  }
  for (auto& model : expired) free_model(std::move(model), "");
}

void ModelPool::unload(const ServedModel& model) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = loaded_.find(model.base);
    if (found == loaded_.end()) return;
    if (model.adapter.empty()) {
      found->second->keep_alive_seconds_ = 0;
      found->second->pinned = false;
    } else if (contains(found->second->engine->adapters(), model.name)) {
      found->second->engine->unload_adapter(model.name);
    }
  }
  changed_.notify_all();
}

std::vector<LoadedInfo> ModelPool::loaded() const {
  const std::lock_guard lock(mutex_);
  std::vector<LoadedInfo> all;
  for (const auto& [base, model] : loaded_) {
    LoadedInfo info{.base = base,
                    .adapters = model->engine->adapters(),
                    .size_bytes = model->held_bytes(),
                    .loaded_at = model->loaded_at,
                    .context_tokens = model->engine->context_tokens(),
                    .healthy = model->engine->healthy(),
                    .state = model->engine->state()};
    if (!model->pinned && model->keep_alive_seconds_ >= 0)
      info.expires_in_seconds = model->keep_alive_seconds_ -
                                (model->uses_ > 0 ? 0.0 : seconds_since(model->unused_since_));
    all.push_back(std::move(info));
  }
  return all;
}

void ModelPool::drain(double seconds) {
  const auto limit = Clock::now() + std::chrono::duration<double>(seconds);
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, std::chrono::time_point_cast<Clock::duration>(limit), [this] {
    return waiting_.empty() && std::all_of(loaded_.begin(), loaded_.end(),
                                           [](const auto& one) { return one.second->uses_ == 0; });
  });
}

}  // namespace toolkit::serve
