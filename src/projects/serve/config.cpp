#include "projects/serve/config.h"

#include <sys/stat.h>

#include <cmath>
#include <cstdlib>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/paths.h"

namespace toolkit::serve {

namespace {

void add_models(Fields& fields, Config& config) {
  const std::string group = "Models";
  fields.push_back({.name = "model",
                    .target = &config.models,
                    .help = "loaded at the start and kept: folder, .gguf, sample://, hf://, "
                            "ollama:// (repeatable); others are loaded when asked for",
                    .group = group,
                    .short_name = "m"});
  fields.push_back({.name = "adapter",
                    .target = &config.adapters,
                    .help = "name=folder: an adapter as a model of its own name (repeatable)",
                    .group = group,
                    .short_name = "a"});
  fields.push_back({.name = "compute",
                    .target = &config.compute,
                    .help = "arithmetic: f32 is exact, int8 reads prompts fastest, auto measures",
                    .group = group,
                    .choices = {"auto", "f32", "bf16", "int8"}});
  fields.push_back({.name = "keep-alive",
                    .target = &config.keep_alive,
                    .help = "how long a model asked for stays after its last answer; -1: always",
                    .group = group});
  fields.push_back({.name = "pull-hosts",
                    .target = &config.pull_hosts,
                    .help = "registries that clients may pull models from",
                    .group = group});
  fields.push_back({.name = "fine-tuning",
                    .target = &config.fine_tuning,
                    .help = "take fine-tuning jobs",
                    .group = group});
}

void add_address(Fields& fields, Config& config) {
  const std::string group = "Address";
  fields.push_back({.name = "host",
                    .target = &config.host,
                    .help = "address to listen on; one that others reach needs --token-file",
                    .group = group});
  fields.push_back({.name = "port",
                    .target = &config.port,
                    .help = "0 takes any free one and says which",
                    .group = group,
                    .short_name = "p",
                    .minimum = 0,
                    .maximum = 65535});
  fields.push_back({.name = "token-file",
                    .target = &config.token_file,
                    .help = "file with the token that clients must send (Authorization: Bearer)",
                    .group = group});
  fields.push_back({.name = "hosts",
                    .target = &config.hosts,
                    .help = "further names of this server that a Host header may have",
                    .group = group});
  fields.push_back({.name = "origins",
                    .target = &config.origins,
                    .help = "web pages that may use it: https://app.example",
                    .group = group});
}

void add_engine(Fields& fields, Config& config) {
  const std::string group = "Engine";
  fields.push_back({.name = "sequences",
                    .target = &config.sequences,
                    .help = "answers generated at once",
                    .group = group,
                    .minimum = 1,
                    .maximum = 1024});
  fields.push_back({.name = "queue",
                    .target = &config.queue,
                    .help = "requests that wait beside them; more are answered 429",
                    .group = group,
                    .minimum = 0,
                    .maximum = 100000});
  fields.push_back({.name = "context",
                    .target = &config.context,
                    .help = "tokens of one conversation at most; 0: the model's",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "cache-gb",
                    .target = &config.cache_gb,
                    .help = "memory for keys and values; 0: an eighth of what is free, 1 at most",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "cache-8bit",
                    .target = &config.cache_8bit,
                    .help = "keep keys and values in 8 bits: a fourth of the memory, not exact",
                    .group = group});
  fields.push_back({.name = "speculate",
                    .target = &config.speculate,
                    .help = "tokens guessed from the prompt and checked in one step; 0: none",
                    .group = group,
                    .minimum = 0,
                    .maximum = 64});
  fields.push_back({.name = "memory-limit-gb",
                    .target = &config.memory_limit_gb,
                    .help = "memory for all models together; 0: what the machine has",
                    .group = group,
                    .minimum = 0});
}

void add_limits(Fields& fields, Config& config) {
  const std::string group = "Limits";
  fields.push_back({.name = "timeout",
                    .target = &config.timeout,
                    .help = "seconds that one answer may take, waiting included",
                    .group = group,
                    .minimum = 1});
  fields.push_back({.name = "drain",
                    .target = &config.drain,
                    .help = "seconds that running answers get after SIGTERM",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "body-mb",
                    .target = &config.body_mb,
                    .help = "largest request",
                    .group = group,
                    .minimum = 1,
                    .maximum = 1024});
  fields.push_back({.name = "file-mb",
                    .target = &config.file_mb,
                    .help = "largest uploaded file",
                    .group = group,
                    .minimum = 1,
                    .maximum = 4096});
  fields.push_back({.name = "connections",
                    .target = &config.connections,
                    .help = "clients connected at once",
                    .group = group,
                    .minimum = 1,
                    .maximum = 10000});
}

}  // namespace

Fields describe(Config& config) {
  Fields fields;
  add_models(fields, config);
  add_address(fields, config);
  add_engine(fields, config);
  add_limits(fields, config);
  return fields;
}

double duration_seconds(const std::string& text, const std::string& where) {
  const auto wrong = [&]() {
    fail(ErrorKind::kUserInput, "{}: expected a duration like 5m, 90s or 1h30m, found '{}'", where,
         text);
  };
  double seconds = 0;
  const char* at = text.c_str();
  const bool negative = *at == '-';
  if (negative) ++at;
  if (!*at) wrong();
  while (*at) {
    if (!((*at >= '0' && *at <= '9') || *at == '.')) wrong();
    char* end = nullptr;
    const double value = std::strtod(at, &end);
    if (end == at || !std::isfinite(value)) wrong();
    const std::string rest = end;
    const std::string name = rest.substr(0, rest.find_first_of("0123456789."));
    if (name == "h")
      seconds += value * 3600;
    else if (name == "m")
      seconds += value * 60;
    else if (name == "s" || name.empty())
      seconds += value;
    else if (name == "ms")
      seconds += value / 1000;
    else
      wrong();
    at = end + name.size();
  }
  return negative ? -seconds : seconds;
}

std::string read_token(const std::string& file) {
  const std::filesystem::path path = expanded_path(file);
  std::string token = read_file(path, 4096);
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0)
    fail(ErrorKind::kUserInput, "{}: others may read the token: chmod 600 {}", path.string(),
         path.string());
  while (!token.empty() && std::isspace(static_cast<unsigned char>(token.back()))) token.pop_back();
  if (token.size() < 8 || token.find_first_of(" \t\r\n") != std::string::npos)
    fail(ErrorKind::kUserInput, "{}: expected one token of at least 8 characters", path.string());
  return token;
}

}  // namespace toolkit::serve
