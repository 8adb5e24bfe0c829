#include "core/model_store/ollama/server.h"

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/files/safe_path.h"

namespace toolkit::model_store::ollama {

namespace {

uint64_t number_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The list of `/api/tags` and `/api/ps`; empty for another answer.
std::optional<std::vector<ServerModel>> list_of(const Json& root) {
  const bool right = root.is_object() && root.contains("models") &&
                     (root["models"].is_array() || root["models"].is_null());
  if (!right) return std::nullopt;
  std::vector<ServerModel> models;
  for (const Json& model : root["models"])
    if (model.is_object() && !text_of(model, "name").empty())
      models.push_back(
          {text_of(model, "name"), text_of(model, "digest"), number_of(model, "size")});
  return models;
}

}  // namespace

Server::Server(http::Client& client, std::string host_url)
    : client_(client), host_url_(std::move(host_url)) {}

std::optional<std::string> Server::version() {
  try {
    const auto response = client_.send({.url = http::parse_url(host_url_ + "/api/version")});
    if (response.status != 200) return std::nullopt;
    const Json root = parse_json(response.body, host_url_);
    const std::string version = root.is_object() ? text_of(root, "version") : "";
    if (version.empty()) return std::nullopt;
    return files::escaped(version.substr(0, 40));
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<ServerModel> Server::models() {
  http::Response response;
  try {
    response = client_.send({.url = http::parse_url(host_url_ + "/api/tags")});
  } catch (const Error& error) {
    fail(ErrorKind::kNetwork,
         "Ollama does not answer at {}: start it with `ollama serve`, or install it from "
         "https://ollama.com/download ({})",
         host_url_, error.what());
  }
  auto models = list_of(response.status == 200 ? parse_json(response.body, host_url_) : Json());
  if (!models)
    fail(ErrorKind::kNetwork, "{}: expected Ollama's list of models, found status {}", host_url_,
         response.status);
  return std::move(*models);
}

std::vector<ServerModel> Server::loaded() {
  try {
    const auto response = client_.send({.url = http::parse_url(host_url_ + "/api/ps")});
    if (response.status != 200) return {};
    return list_of(parse_json(response.body, host_url_)).value_or(std::vector<ServerModel>());
  } catch (const Error&) {
    return {};
  }
}

void Server::require() {
  if (!version()) models();  // says why
}

void Server::pull(
    const std::string& model, bool insecure,
    const std::function<void(const std::string& status, uint64_t done, uint64_t total)>& progress) {
  std::string trouble;
  bool success = false;
  const auto response =
      client_.send_lines({.method = "POST",
                          .url = http::parse_url(host_url_ + "/api/pull"),
                          .headers = {{"Content-Type", "application/json"}},
                          .body = Json{{"model", model}, {"insecure", insecure}}.dump()},
                         [&](std::string_view line) {
                           if (line.empty()) return true;
                           const Json event = parse_json(line, host_url_);
                           if (!event.is_object()) return true;
                           trouble = text_of(event, "error");
                           success = success || text_of(event, "status") == "success";
                           if (trouble.empty() && progress)
                             progress(files::escaped(text_of(event, "status")),
                                      number_of(event, "completed"), number_of(event, "total"));
                           return trouble.empty();
                         });
  // Errors in the middle come as a line of an answer that began with 200.
  if (!trouble.empty())
    fail(ErrorKind::kNetwork, "ollama pull {}: {}", model, files::escaped(trouble));
  if (!success)
    fail(ErrorKind::kNetwork, "ollama pull {}: the answer (status {}) ended before 'success'",
         model, response.status);
}

}  // namespace toolkit::model_store::ollama
