#include <algorithm>

#include "core/base/atomic_file.h"
#include "projects/serve/api_error.h"
#include "projects/serve/multipart.h"
#include "projects/serve/pages.h"
#include "projects/serve/routes.h"

namespace toolkit::serve {

namespace {

Json file_json(const StoredFile& file) {
  return {{"id", file.id},         {"object", "file"},         {"bytes", file.bytes},
          {"filename", file.name}, {"purpose", file.purpose},  {"created_at", file.created_at},
          {"status", "processed"}, {"status_details", nullptr}};
}

StoredFile found(const Call& call) {
  const auto file = jobs_of(call).store.find_file(call.rest);
  if (!file) throw ApiError(404, "there is no file '" + call.rest.substr(0, 100) + "'", "file_id");
  return *file;
}

/// A name to show: what a client sent, without what could be a path or steer a terminal.
std::string shown_name(std::string name) {
  name = name.substr(name.find_last_of("/\\") + 1).substr(0, 255);
  for (char& c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
  return name.empty() ? "file" : name;
}

void upload(const Call& call) {
  const auto parts = read_form(call.request().header("Content-Type"), call.request().body);
  std::string purpose;
  const FormPart* file = nullptr;
  for (const FormPart& part : parts) {
    if (part.name == "purpose") purpose = part.content;
    if (part.name == "file") file = &part;
  }
  if (!file) throw ApiError(400, "'file': expected a part with the file", "file");
  if (purpose != "fine-tune")
    throw ApiError(400, "'purpose': expected fine-tune, found '" + purpose.substr(0, 100) + "'",
                   "purpose");
  if (file->content.empty()) throw ApiError(400, "'file': the file is empty", "file");
  respond_json(call, file_json(jobs_of(call).store.add_file(shown_name(file->file_name), purpose,
                                                            file->content)));
}

void list_files(const Call& call) {
  std::vector<StoredFile> files = jobs_of(call).store.files();
  if (const auto purpose = call.request().parameter("purpose"))
    std::erase_if(files, [&](const StoredFile& file) { return file.purpose != *purpose; });
  respond_json(call, page_json(call.request(), files, file_json, 10000));
}

void show_file(const Call& call) {
  respond_json(call, file_json(found(call)));
}

void file_content(const Call& call) {
  const std::string text = read_file(jobs_of(call).store.file_path(found(call)));
  call.exchange->respond({.content_type = "application/octet-stream", .body = text});
}

void delete_file(const Call& call) {
  const StoredFile file = found(call);
  jobs_of(call).store.remove_file(file);
  respond_json(call, {{"id", file.id}, {"object", "file"}, {"deleted", true}});
}

}  // namespace

void add_files_routes(std::vector<Route>& routes) {
  routes.push_back({"POST", "/v1/files", upload});
  routes.push_back({"GET", "/v1/files", list_files});
  routes.push_back({"GET", "/v1/files/{name}", show_file});
  routes.push_back({"DELETE", "/v1/files/{name}", delete_file});
  routes.push_back({"GET", "/v1/files/{name}/content", file_content});
}

}  // namespace toolkit::serve
