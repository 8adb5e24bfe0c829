#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/hash/digest.h"
#include "core/http/client.h"

namespace toolkit::http {

/// One file to fetch, with what it must turn out to be.
struct FileDownload {
  std::string label;  // for progress: "model-00001-of-00002.safetensors"
  Request request;    // GET; redirects are followed anew at each attempt (signed links expire)
  uint64_t size_bytes = 0;
  hash::Digest digest;
  /// Bytes arrive here; `<part>.state` beside it says which ranges are there and of what (size,
  /// digest, ETag; part_file.h). Both outlive a kill -9; both go when the content turns out wrong.
  /// One part may be in work once at a time: the caller has the lock.
  std::filesystem::path part;
};

struct DownloadSettings {
  int files_at_once = 4;
  int ranges_per_file = 4;  // of files above twice `smallest_range_bytes`
  uint64_t smallest_range_bytes = 64 << 20;
  uint64_t bytes_per_second = 0;  // 0: no limit
};

/// What a transfer tells while it runs, on the calling thread.
struct DownloadEvents {
  std::function<void(size_t file, uint64_t done_bytes)> progress;  // resumed bytes included
  std::function<void(size_t file, uint64_t resumed_bytes)> started;
  std::function<void(size_t file)> verified;     // digest equal; part is synced
  std::function<void(const std::string&)> note;  // retries, restarts and why
};

/// Fetches all files into their parts: several files and ranges at once, resumed at the byte where
/// they stopped when digest, size and the ETag that was seen are unchanged (else from zero: 200,
/// 412 or 416 do that), hashed while they are written. After return every part has the right size
/// and digest and is synced. Throws Error(kNetwork | kIo | kUserInput): which file, expected and
/// found; finished parts and resumable rests stay for the next call. Ctrl-C (core/base/interrupt.h)
/// ends it like an error.
void download_files(Client& client, const std::vector<FileDownload>& downloads,
                    const DownloadSettings& settings, const DownloadEvents& events);

/// Bytes a call would still have to fetch: 0 for complete parts.
uint64_t missing_bytes(const FileDownload& download);

/// A part and its state go, if they are there.
void remove_part(const std::filesystem::path& part);

}  // namespace toolkit::http
