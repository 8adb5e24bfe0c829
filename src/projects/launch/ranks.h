#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "projects/launch/config.h"

namespace toolkit::launch {

/// One process to start.
struct Rank {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // besides this process's own
  bool remote = false;  // signals are lines on its standard input, whose end ends it
};

/// MLX's ring host file: a list of addresses for each rank.
std::string hostfile_text(const std::vector<std::string>& addresses);

/// `count` free ports of the loopback, all different.
std::vector<int> free_ports(int count);

/// `processes` ranks on this machine, which share its cores; `hostfile` is where they will find it.
std::vector<Rank> local_ranks(int processes, int cores, const std::filesystem::path& hostfile,
                              const std::vector<std::string>& command);

/// A rank on each host (a host may stand there twice), started with `config.ssh` by a shell script
/// that makes the host file there, runs the command in this working directory and ends it when the
/// connection ends.
std::vector<Rank> remote_ranks(const Config& config, const std::vector<std::string>& command);

}  // namespace toolkit::launch
