#pragma once

#include <cstdint>
#include <memory>

#include "core/http/download.h"
#include "core/model_store/fetch/fetch.h"

namespace toolkit::cache {

/// Bars of a running `add`: one line per file at work and one for all, with speed and time left;
/// plain lines every ten seconds where stderr is no terminal; nothing when quiet.
class FetchProgress {
 public:
  FetchProgress(const model_store::FetchPlan& plan, bool quiet);
  ~FetchProgress();
  http::DownloadEvents events();
  uint64_t fetched_bytes() const;  // over the network, by this process

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace toolkit::cache
