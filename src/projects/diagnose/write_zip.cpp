#include <sys/stat.h>
#include <zip.h>

#include <cstdint>

#include "core/base/error.h"
#include "projects/diagnose/bundle.h"

namespace toolkit::diagnose {

namespace {

[[noreturn]] void refuse(const std::filesystem::path& file, zip_t* archive) {
  const std::string words = archive ? zip_strerror(archive) : "cannot be opened";
  if (archive) zip_discard(archive);
  fail(ErrorKind::kIo, "{}: the archive cannot be written: {}", file.string(), words);
}

}  // namespace

/// libzip writes a temporary file beside it and renames that when all is there.
void write_zip(const std::filesystem::path& file, const std::vector<Entry>& entries) {
  int code = 0;
  zip_t* archive = zip_open(file.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string words = zip_error_strerror(&error);
    zip_error_fini(&error);
    fail(ErrorKind::kIo, "{}: {}", file.string(), words);
  }
  for (const Entry& entry : entries) {
    zip_source_t* source = zip_source_buffer(archive, entry.text.data(), entry.text.size(), 0);
    if (!source) refuse(file, archive);
    const zip_int64_t index = zip_file_add(archive, entry.name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      zip_source_free(source);
      refuse(file, archive);
    }
    zip_file_set_external_attributes(archive, static_cast<zip_uint64_t>(index), 0, ZIP_OPSYS_UNIX,
                                     uint32_t{S_IFREG | 0600} << 16);
  }
  const mode_t mask = ::umask(0077);
  const int closed = zip_close(archive);
  ::umask(mask);
  if (closed != 0) refuse(file, archive);
}

}  // namespace toolkit::diagnose
