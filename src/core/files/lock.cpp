#include "core/files/lock.h"

#include "core/base/error.h"

namespace toolkit::files {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

FileLock FileLock::take(const std::filesystem::path&, LockMode, const std::string&,
                        std::chrono::milliseconds,
                        const std::function<void(const std::string& holder)>&) {
  not_there_yet("take");
}

FileLock FileLock::try_take(const std::filesystem::path&, LockMode, const std::string&) {
  not_there_yet("try_take");
}

FileLock::~FileLock() = default;

FileLock::FileLock(FileLock&&) noexcept = default;

FileLock& FileLock::operator=(FileLock&&) noexcept = default;

}  // namespace toolkit::files
