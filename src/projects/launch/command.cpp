#include "projects/launch/command.h"

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/platform/hardware.h"
#include "projects/launch/config.h"
#include "projects/launch/ranks.h"
#include "projects/launch/supervise.h"

namespace toolkit::launch {

namespace {

/// A folder of its own, gone with this object.
struct TemporaryFolder {
  std::filesystem::path path;
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "mlx-toolkit-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      fail(ErrorKind::kIo, "no temporary folder can be made in {}",
           std::filesystem::temp_directory_path().string());
    path = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
};

std::string own_program() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "mlx-toolkit" : path.string();  // elsewhere than on Linux it must be in PATH
}

nlohmann::json run_command(const Config& config, const cli::Context& context) {
  if (context.rest.empty())
    fail(ErrorKind::kUserInput,
         "nothing to start: give the command behind --, as in `mlx-toolkit launch -n 2 -- finetune "
         "--config finetune.yaml`");
  std::vector<std::string> command = {config.program.empty() ? own_program() : config.program};
  command.insert(command.end(), context.rest.begin(), context.rest.end());
  const auto hosts = static_cast<int>(config.hosts.size());
  if (hosts > 0 && config.processes != 0 && config.processes != hosts)
    fail(ErrorKind::kUserInput,
         "-n {} with {} hosts; a rank is started for each host in --hosts (name one twice for two)",
         config.processes, hosts);
  if (hosts > 0) return {{"exit_code", supervise(remote_ranks(config, command))}};
  const int processes = config.processes == 0 ? 2 : config.processes;
  const TemporaryFolder folder;
  std::vector<std::string> addresses;
  for (const int port : free_ports(processes))
    addresses.push_back("127.0.0.1:" + std::to_string(port));
  const std::filesystem::path hostfile = folder.path / "hosts.json";
  write_file_atomically(hostfile, hostfile_text(addresses));
  const int cores = platform::detect_hardware().cores;
  return {{"exit_code", supervise(local_ranks(processes, cores, hostfile, command))}};
}

}  // namespace

Fields describe(Config& c) {
  Fields fields;
  fields.push_back({.name = "processes",
                    .target = &c.processes,
                    .help = "processes to start; 0: one for each host, without --hosts two",
                    .short_name = "n",
                    .minimum = 0,
                    .maximum = 1024});
  fields.push_back({.name = "hosts",
                    .target = &c.hosts,
                    .help = "start one process on each of these machines over ssh: names or "
                            "user@name; the ring reaches them under the same names"});
  fields.push_back({.name = "port",
                    .target = &c.port,
                    .help = "with --hosts: first port of the ring; each rank has the next",
                    .minimum = 1,
                    .maximum = 64000});
  fields.push_back({.name = "program",
                    .target = &c.program,
                    .help = "program to start; default: this one, which must lie at the same place "
                            "on every host"});
  fields.push_back({.name = "ssh", .target = &c.ssh, .help = "program used as ssh"});
  return fields;
}

cli::Command launch_command() {
  const auto config = std::make_shared<Config>();
  return {.name = "launch",
          .summary = "run a command on several processes or machines",
          .description =
              "Starts the command behind -- several times. finetune shares its batches among the "
              "processes: a step takes one batch (or --accumulate of them) from each. Only the "
              "first one writes and prints.",
          .examples = {"mlx-toolkit launch -n 2 -- finetune --config finetune.yaml",
                       "mlx-toolkit launch --hosts mac1,mac2 -- finetune --config finetune.yaml"},
          .fields = describe(*config),
          .run = [config](const cli::Context& context) { return run_command(*config, context); },
          .takes_rest = true};
}

}  // namespace toolkit::launch
