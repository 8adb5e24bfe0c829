#include "engine/batch/batch_engine.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "core/base/error.h"
#include "core/platform/hardware.h"
#include "engine/batch/adapter_set.h"
#include "engine/batch/block_runner.h"
#include "engine/batch/graph_runner.h"
#include "engine/batch/scheduler.h"

namespace toolkit::engine {

namespace {

std::unique_ptr<ModelRunner> runner_for(models::Decoder& model, const BatchOptions& options) {
  if (models::can_decode_rows(model)) {
    const int64_t wanted = models::rows_bytes(model) + options.cache_bytes;
    if (options.arrange_weights && wanted < platform::available_memory_bytes())
      models::prepare_for_rows(model);
    return std::make_unique<BlockRunner>(model, options.cache_bytes, options.cache_8bit);
  }
  return std::make_unique<GraphRunner>(model, options.cache_bytes);
}

int context_of(const models::DecoderConfig& config, const BatchOptions& options,
               const ModelRunner& runner) {
  const int wanted = options.context_tokens > 0
                         ? std::min(options.context_tokens, config.max_positions)
                         : config.max_positions;
  const int fitting = runner.capacity_tokens();
  const int64_t per_token = runner.bytes_per_token();
  // What nobody asked for is cut to what there is room for.
  if (options.context_tokens == 0 && fitting >= std::min(wanted, models::KvCache::kStep))
    return std::min(wanted, fitting);
  if (wanted > fitting)
    fail(ErrorKind::kOutOfMemory,
         "a context of {} tokens needs {} MB of keys and values, the cache may hold {} MB: allow a "
         "larger cache or a shorter context",
         wanted, wanted * per_token >> 20, options.cache_bytes >> 20);
  return wanted;
}

void check_memory(const BatchOptions& options, int64_t sequence_bytes) {
  const int64_t needed = std::min(options.cache_bytes, sequence_bytes),
                there = platform::available_memory_bytes();
  if (needed > there)
    fail(ErrorKind::kOutOfMemory,
         "the keys and values of one sequence need {} MB, {} MB of memory are available: choose a "
         "shorter context",
         needed >> 20, there >> 20);
}

}  // namespace

struct BatchEngine::Impl {
  Impl(LanguageModel given, BatchOptions given_options)
      : model(std::move(given)),
        options(given_options),
        runner(runner_for(*model.decoder, options)),
        context(context_of(model.decoder->config(), options, *runner)) {
    check_memory(options, context * runner->bytes_per_token());
    thread = std::thread([this] { work(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    thread.join();
  }

  void check(const BatchRequest& request) const;
  void work();
  bool take_orders(Scheduler& scheduler);
  void publish(const Scheduler& scheduler);
  void run_on_thread(std::function<void()> job);

  LanguageModel model;
  const BatchOptions options;
  std::unique_ptr<ModelRunner> runner;
  const int context;  // tokens of one sequence
  AdapterSet adapters;
  std::atomic<bool> healthy{true};

  mutable std::mutex mutex;  // of all below
  std::condition_variable wake, ended;
  std::vector<std::unique_ptr<Sequence>> arrived;
  std::vector<uint64_t> cancelled;
  std::vector<std::function<void()>> jobs;
  bool stopping = false, draining = false, cancel_all = false;
  int in_flight = 0;
  uint64_t last_id = 0;
  std::string failure;
  BatchState published;

  std::thread thread;
};

void BatchEngine::Impl::check(const BatchRequest& request) const {
  if (request.prompt.empty())
    fail(ErrorKind::kUserInput, "the prompt is empty: there is nothing to continue");
  if (request.max_tokens < 1)
    fail(ErrorKind::kUserInput, "max_tokens must be at least 1, found {}", request.max_tokens);
  const int vocabulary = model.decoder->config().vocabulary_size;
  for (const int32_t id : request.prompt)
    if (id < 0 || id >= vocabulary)
      fail(ErrorKind::kUserInput, "token {} of the prompt is not in the model's vocabulary of {}",
           id, vocabulary);
  if (request.prompt.size() >= static_cast<size_t>(context))
    fail(ErrorKind::kUserInput,
         "the prompt has {} tokens; the context holds {} and the answer needs room too: shorten it",
         request.prompt.size(), context);
}

/// What other threads asked for since the last step. False: the engine is to end.
bool BatchEngine::Impl::take_orders(Scheduler& scheduler) {
  std::vector<std::unique_ptr<Sequence>> fresh;
  std::vector<uint64_t> ids;
  std::vector<std::function<void()>> work;
  bool all = false;
  {
    std::unique_lock lock(mutex);
    wake.wait(lock, [&] {
      return stopping || cancel_all || !arrived.empty() || !cancelled.empty() || !jobs.empty() ||
             !scheduler.idle();
    });
    fresh.swap(arrived);
    ids.swap(cancelled);
    work.swap(jobs);
    all = std::exchange(cancel_all, false) || stopping;
  }
  for (const auto& job : work) job();
  for (auto& sequence : fresh) scheduler.add(std::move(sequence));
  for (const uint64_t id : ids) scheduler.cancel(id);
  if (all) scheduler.finish_all(FinishReason::kCancelled);
  const std::lock_guard lock(mutex);
  return !stopping;
}

void BatchEngine::Impl::publish(const Scheduler& scheduler) {
  BatchState state = scheduler.state();
  state.cache_bytes_limit = options.cache_bytes;
  state.adapter_bytes = adapters.bytes();
  const std::lock_guard lock(mutex);
  in_flight = state.running + state.waiting + static_cast<int>(arrived.size());
  published = std::move(state);
  if (in_flight == 0) ended.notify_all();
}

void BatchEngine::Impl::work() {
  Scheduler scheduler(*runner, model.decoder->config().vocabulary_size, options);
  try {
    while (take_orders(scheduler)) {
      if (!scheduler.idle()) scheduler.step();
      publish(scheduler);
    }
  } catch (const std::exception& error) {
    healthy = false;
    {
      const std::lock_guard lock(mutex);
      failure = error.what();
      for (auto& sequence : arrived) scheduler.add(std::move(sequence));
      arrived.clear();
    }
    scheduler.finish_all(FinishReason::kError, error.what());
  }
  publish(scheduler);
  const std::lock_guard lock(mutex);
  jobs.clear();  // breaks their promises
}

/// Does `job` between two steps and waits for it; what it throws is thrown here.
void BatchEngine::Impl::run_on_thread(std::function<void()> job) {
  auto task = std::make_shared<std::packaged_task<void()>>(std::move(job));
  std::future<void> done = task->get_future();
  {
    const std::lock_guard lock(mutex);
    if (!healthy || stopping) fail(ErrorKind::kInternal, "the engine has stopped: {}", failure);
    jobs.push_back([task] { (*task)(); });
  }
  wake.notify_all();
  done.get();
}

BatchEngine::BatchEngine(LanguageModel model, BatchOptions options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
BatchEngine::~BatchEngine() = default;

std::optional<uint64_t> BatchEngine::submit(BatchRequest request, BatchListener listener) {
  impl_->check(request);
  std::shared_ptr<const LoadedAdapter> adapter;
  if (!request.adapter.empty()) {
    adapter = impl_->adapters.find(request.adapter);
    if (!adapter)
      fail(ErrorKind::kUserInput, "no adapter '{}' is loaded: load it first", request.adapter);
  }
  uint64_t id = 0;
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->healthy) fail(ErrorKind::kInternal, "the engine has stopped: {}", impl_->failure);
    const int places = impl_->options.max_sequences + impl_->options.max_queue;
    if (impl_->draining || impl_->stopping || impl_->in_flight >= places) return std::nullopt;
    ++impl_->in_flight;
    id = ++impl_->last_id;
    impl_->arrived.push_back(std::make_unique<Sequence>(id, std::move(request), std::move(listener),
                                                        std::move(adapter), impl_->model,
                                                        impl_->context));
  }
  impl_->wake.notify_all();
  return id;
}

void BatchEngine::cancel(uint64_t id) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->cancelled.push_back(id);
  }
  impl_->wake.notify_all();
}

void BatchEngine::load_adapter(const std::string& name, const std::filesystem::path& folder) {
  if (name.empty()) fail(ErrorKind::kUserInput, "an adapter needs a name");
  impl_->run_on_thread([&] { impl_->adapters.load(*impl_->model.decoder, name, folder); });
}

void BatchEngine::unload_adapter(const std::string& name) {
  impl_->adapters.unload(name);
}

std::vector<std::string> BatchEngine::adapters() const {
  return impl_->adapters.names();
}

void BatchEngine::between_steps(const std::function<void()>& work) {
  impl_->run_on_thread([&] {
    impl_->runner->bare();
    work();
  });
}

void BatchEngine::drain(double seconds) {
  std::unique_lock lock(impl_->mutex);
  impl_->draining = true;
  const auto done = [&] { return impl_->in_flight == 0; };
  if (impl_->ended.wait_for(lock, std::chrono::duration<double>(seconds), done)) return;
  impl_->cancel_all = true;
  impl_->wake.notify_all();
  impl_->ended.wait(lock, done);
}

bool BatchEngine::healthy() const {
  return impl_->healthy;
}

BatchState BatchEngine::state() const {
  const std::lock_guard lock(impl_->mutex);
  BatchState state = impl_->published;
  state.waiting += static_cast<int>(impl_->arrived.size());
  if (impl_->in_flight == 0) state.tokens_per_second = 0.0;
  return state;
}

int BatchEngine::context_tokens() const {
  return impl_->context;
}

const LanguageModel& BatchEngine::model() const {
  return impl_->model;
}

}  // namespace toolkit::engine
