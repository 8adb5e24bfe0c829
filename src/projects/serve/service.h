#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "projects/serve/config.h"
#include "projects/serve/embedders.h"
#include "projects/serve/errand_thread.h"
#include "projects/serve/job_runner.h"
#include "projects/serve/job_store.h"
#include "projects/serve/metrics.h"
#include "projects/serve/model_details.h"
#include "projects/serve/model_names.h"
#include "projects/serve/model_pool.h"

namespace toolkit::serve {

/// Files and fine-tuning jobs.
struct Jobs {
  Jobs(const std::filesystem::path& folder, JobRunnerOptions options)
      : store(folder), runner(store, std::move(options)) {}
  JobStore store;
  JobRunner runner;
};

/// All that routes share. Outlives the HTTP server.
struct Service {
  Service(Config given, PoolOptions pool_options)
      : config(std::move(given)), pool(names, std::move(pool_options)) {}

  Config config;
  std::string version = "0.1.0";
  Metrics metrics;
  ModelNames names;
  ModelDetailsCache details;
  ModelPool pool;
  ErrandThread errands{16};  // pulls
  std::unique_ptr<Embedders> embedders;
  std::unique_ptr<Jobs> jobs;  // null: none are taken
  std::function<size_t()> connections = [] { return size_t{0}; };
  /// A fine-tuned model is no longer served, its job and files are removed.
  void remove_fine_tuned(const ServedModel& model);
  std::atomic<bool> ready{false};  // the models of the start are loaded
};

}  // namespace toolkit::serve
