#include "core/files/folder.h"

#include "core/base/error.h"

namespace toolkit::files {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

Folder Folder::open(const std::filesystem::path&) {
  not_there_yet("open");
}

Folder Folder::open_or_create(const std::filesystem::path&) {
  not_there_yet("open_or_create");
}

Folder::~Folder() = default;

Folder::Folder(Folder&&) noexcept = default;

Folder& Folder::operator=(Folder&&) noexcept = default;

Folder Folder::subfolder(std::string_view, bool) const {
  not_there_yet("subfolder");
}

std::optional<Identity> Folder::find(std::string_view) const {
  not_there_yet("find");
}

int Folder::open_file(std::string_view) const {
  not_there_yet("open_file");
}

int Folder::create_file(std::string_view) const {
  not_there_yet("create_file");
}

void Folder::rename(std::string_view, std::string_view) const {
  not_there_yet("rename");
}

bool Folder::remove_file(std::string_view) const {
  not_there_yet("remove_file");
}

void Folder::remove_tree(std::string_view) const {
  not_there_yet("remove_tree");
}

void Folder::sync() const {
  not_there_yet("sync");
}

Folder::Folder(int descriptor, std::filesystem::path path)
    : descriptor_(descriptor), path_(std::move(path)) {}

std::string temporary_name() {
  not_there_yet("temporary_name");
}

void sync_file(int, const std::filesystem::path&) {
  not_there_yet("sync_file");
}

}  // namespace toolkit::files
