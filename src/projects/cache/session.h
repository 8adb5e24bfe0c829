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
/// first asked for). While it waits for another process it says on stderr for whom.
class Session {
 public:
  enum class Use {
    kRead,    // no lock, the registry only read; an empty one where there is no store yet
    kNote,    // no lock, the registry written to in short transactions (verify); needs a store
    kAdd,     // shared lock; the store is made when missing
    kDecide,  // exclusive lock: what is used by nobody; the store is made when missing
  };
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

/// "Remove 3 models (12.4 GB)? [y/N]" on a terminal; Error(kUserInput) naming --yes elsewhere, and
/// when the answer is no.
void confirm(const std::string& question, const Options& options, const cli::Context& context);

}  // namespace toolkit::cache
