#include "core/http/download.h"

#include "core/base/error.h"

namespace toolkit::http {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

void download_files(Client&, const std::vector<FileDownload>&, const DownloadSettings&,
                    const DownloadEvents&) {
  not_there_yet("download_files");
}

uint64_t missing_bytes(const FileDownload&) {
  not_there_yet("missing_bytes");
}

}  // namespace toolkit::http
