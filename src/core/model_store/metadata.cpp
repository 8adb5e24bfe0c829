#include "core/model_store/metadata.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

uint64_t Metadata::size_bytes() const {
  not_there_yet("size_bytes");
}

std::string Metadata::checksum() const {
  not_there_yet("checksum");
}

std::string to_json_text(const Metadata&) {
  not_there_yet("to_json_text");
}

Metadata parse_metadata(const std::string&, const std::string&) {
  not_there_yet("parse_metadata");
}

std::optional<Metadata> read_metadata(const std::filesystem::path&) {
  not_there_yet("read_metadata");
}

void write_metadata(const std::filesystem::path&, const Metadata&) {
  not_there_yet("write_metadata");
}

}  // namespace toolkit::model_store
