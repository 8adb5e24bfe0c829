#include "core/model_store/name.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

const char* source_name(Source) {
  not_there_yet("source_name");
}

std::string ModelName::uri() const {
  not_there_yet("uri");
}

std::string ModelName::folder_name() const {
  not_there_yet("folder_name");
}

ModelName parse_model_name(std::string_view) {
  not_there_yet("parse_model_name");
}

ModelName model_name_from_identifier(std::string_view) {
  not_there_yet("model_name_from_identifier");
}

HubName hub_name(const ModelName&) {
  not_there_yet("hub_name");
}

OllamaName ollama_name(const ModelName&) {
  not_there_yet("ollama_name");
}

ModelName to_model_name(const HubName&) {
  not_there_yet("to_model_name");
}

ModelName to_model_name(const OllamaName&) {
  not_there_yet("to_model_name");
}

ModelName local_model_name(const std::string&) {
  not_there_yet("local_model_name");
}

}  // namespace toolkit::model_store
