#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/cli/command.h"
#include "core/files/lock.h"
#include "core/model_store/inventory.h"
#include "core/model_store/layout.h"
#include "core/model_store/registry/hash_memory.h"
#include "core/model_store/registry/registry.h"
#include "core/model_store/settings.h"

namespace toolkit::cache {

/// Options that several commands share.
struct Options {
  bool dry_run = false;  // say what would happen, change nothing
  bool yes = false;      // do not ask
  bool verbose = false;  // every file and the reason for its link
};
Field dry_run_field(Options& options);
Field yes_field(Options& options);
Field verbose_field(Options& options);

/// What every command starts with: settings, layout, the store lock, the registry (opened when
/// first asked for; made when missing unless `mode` is shared and the command only reads).
class Session {
 public:
  enum class Use { kRead, kAdd, kDecide };  // no lock, shared lock, exclusive lock
  Session(Use use, const std::string& purpose, const cli::Context& context);
  ~Session();

  const model_store::Settings& settings() const;
  const model_store::Environment& environment() const;
  const model_store::Layout& layout() const;
  model_store::Registry& registry();
  model_store::HashMemory& hashes();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "Remove 3 models (12.4 GB)? [y/N]" on a terminal; Error(kUserInput) naming --yes elsewhere.
void confirm(const std::string& question, const Options& options, const cli::Context& context);

}  // namespace toolkit::cache
