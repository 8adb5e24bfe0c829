#include "projects/dash_window/launch_at_login.h"

#include "core/base/atomic_file.h"
#include "core/base/error.h"

namespace toolkit::dash {

void set_launch_at_login(bool wanted, const std::string& program,
                         const std::function<bool(bool wanted)>& system_list) {
  const bool listed = system_list(wanted);
  const std::filesystem::path entry = login_entry();
  std::error_code error;
  if (!wanted || listed) {
    std::filesystem::remove(entry, error);
    if (error) fail(ErrorKind::kIo, "{}: cannot be removed: {}", entry.string(), error.message());
    return;
  }
  std::filesystem::create_directories(entry.parent_path(), error);
  write_file_atomically(entry, login_entry_text(program));
}

}  // namespace toolkit::dash
