#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/http/client.h"

namespace toolkit::http {

/// What a download asked for: bytes [begin, end) of `size`.
struct RangeRequest {
  uint64_t begin = 0, end = 0, size = 0;
  std::string etag;        // seen before from the answering origin; empty: none
  bool only_range = true;  // nothing else of the file is there or under way
};

/// What its answer means.
struct RangeVerdict {
  enum class Kind {
    kTake,       // the body is what was asked for
    kWholeFile,  // ranges or condition were not met: the body is the whole file from zero
    kRestart,    // what we have is of another content, or the server disputes the range
    kRedirect,
    kRetry,
    kRefuse,
  } kind = Kind::kRefuse;
  uint64_t take_bytes = 0;  // of kTake and kWholeFile: exactly that many must come
  std::string why;          // of kRestart, kRetry, kRefuse
};

RangeVerdict judge_range_answer(const RangeRequest& asked, int status,
                                const std::vector<Header>& headers);

}  // namespace toolkit::http
