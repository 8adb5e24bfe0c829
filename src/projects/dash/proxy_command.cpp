#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/base/interrupt.h"
#include "core/monitor/preferences.h"
#include "core/monitor/proxy/proxy.h"
#include "projects/dash/command.h"

namespace toolkit::dash {

namespace {

struct Settings {
  std::string upstream;
  int port = 0;
};

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  const monitor::Preferences preferences = monitor::load_preferences();
  const InterruptGuard guard;
  monitor::Proxy proxy(
      {.upstream = settings.upstream.empty() ? preferences.ollama_url() : settings.upstream,
       .port = settings.port > 0 ? settings.port : preferences.proxy_port});
  const std::string upstream = proxy.requests().upstream;
  if (!context.quiet) {
    fmt::print("http://127.0.0.1:{} passes on to {}\n", proxy.port(), upstream);
    fmt::print(
        "Programs use it with OLLAMA_HOST=127.0.0.1:{0} or the base URL "
        "http://127.0.0.1:{0}/v1. Ctrl-C ends it.\n",
        proxy.port());
    std::fflush(stdout);
  }
  while (!InterruptGuard::requested()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto requests = proxy.requests();
  return {{"upstream", upstream},
          {"answers", requests.finished.empty() ? 0 : requests.finished.back().sequence}};
}

}  // namespace

cli::Command proxy_command() {
  const auto settings = std::make_shared<Settings>();
  return {
      .name = "proxy",
      .summary = "pass requests on to a server and count tokens, for servers that tell nothing",
      .description =
          "Listens on this machine only, passes every byte on at once and keeps no "
          "text. `mlx-dash` finds it by itself.",
      .examples = {"mlx-dash proxy", "mlx-dash proxy --upstream http://127.0.0.1:8080 --port 9000"},
      .fields = {{.name = "upstream",
                  .target = &settings->upstream,
                  .help = "the server behind it (none: Ollama)"},
                 {.name = "port",
                  .target = &settings->port,
                  .help = "where to listen (0: as the preferences say)",
                  .minimum = 0,
                  .maximum = 65'535}},
      .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::dash
