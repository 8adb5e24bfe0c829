#include "projects/launch/ranks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "core/base/error.h"

namespace toolkit::launch {

namespace {

// For a shell, whatever it holds.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

// Names of signals come as lines on standard input; its end means that nobody waits any more.
constexpr const char* kScript = R"(hosts=$(mktemp) || exit 1
printf %s {hostfile} > "$hosts"
cd {folder} 2>/dev/null
cores=$(getconf _NPROCESSORS_ONLN); threads=$((cores / {here}))
[ "$threads" -ge 1 ] || threads=1
export MLX_RANK={rank} MLX_HOSTFILE="$hosts" MLX_TOOLKIT_THREADS=$threads OPENBLAS_NUM_THREADS=$threads
exec 3<&0
{command} < /dev/null &
child=$!
(while read -r signal; do kill -"$signal" $child; done; kill -TERM $child; sleep 5; kill -KILL $child) <&3 2>/dev/null &
reader=$!
wait $child
code=$?
kill $reader 2>/dev/null
rm -f "$hosts"
exit $code
)";

std::string filled(std::string text, const std::map<std::string, std::string>& values) {
  for (const auto& [name, value] : values) {
    const std::string place = "{" + name + "}";
    if (const size_t at = text.find(place); at != std::string::npos)
      text.replace(at, place.size(), value);
  }
  return text;
}

}  // namespace

std::string hostfile_text(const std::vector<std::string>& addresses) {
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& address : addresses) list.push_back({address});
  return list.dump();
}

std::vector<int> free_ports(int count) {
  // The ranks bind them later. Until then no connection of another program may get one as its own
  // end, so they lie below what systems choose for that: Linux from 32768 on, macOS from 49152 on.
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> some_port(20000, 32000);
  std::vector<int> ports, sockets;
  std::string trouble = "all that were tried are taken";
  for (int tries = 0; tries < 1000 && static_cast<int>(ports.size()) < count; ++tries) {
    const int port = some_port(random);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
    if (descriptor < 0) {
      trouble = std::strerror(errno);
      break;
    }
    sockets.push_back(descriptor);
    if (::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
      ports.push_back(port);
  }
  for (const int descriptor : sockets) ::close(descriptor);
  if (static_cast<int>(ports.size()) < count)
    fail(ErrorKind::kNetwork, "no free port on 127.0.0.1: {}", trouble);
  return ports;
}

std::vector<Rank> local_ranks(int processes, int cores, const std::filesystem::path& hostfile,
                              const std::vector<std::string>& command) {
  const std::string threads = std::to_string(std::max(1, cores / processes));
  std::vector<Rank> ranks;
  for (int rank = 0; rank < processes; ++rank) {
    Rank& one = ranks.emplace_back(Rank{.argv = command});
    one.environment = {{"MLX_RANK", std::to_string(rank)}, {"MLX_HOSTFILE", hostfile.string()}};
    for (const char* name : {"MLX_TOOLKIT_THREADS", "OPENBLAS_NUM_THREADS"})
      if (!std::getenv(name)) one.environment[name] = threads;
  }
  return ranks;
}

std::vector<Rank> remote_ranks(const Config& config, const std::vector<std::string>& command) {
  std::vector<std::string> addresses;
  for (const std::string& host : config.hosts) {
    if (host.empty() || host.starts_with("-"))
      fail(ErrorKind::kUserInput, "--hosts: '{}' is no host", host);
    const std::string name = host.substr(host.find('@') + 1);  // user@host
    addresses.push_back(name + ":" +
                        std::to_string(config.port + static_cast<int>(addresses.size())));
  }
  std::string words;
  for (const std::string& word : command) words += (words.empty() ? "" : " ") + quoted(word);
  std::vector<Rank> ranks;
  for (size_t rank = 0; rank < config.hosts.size(); ++rank) {
    const std::string& host = config.hosts[rank];
    const auto here = std::count(config.hosts.begin(), config.hosts.end(), host);
    const std::string script =
        filled(kScript, {{"hostfile", quoted(hostfile_text(addresses))},
                         {"folder", quoted(std::filesystem::current_path().string())},
                         {"here", std::to_string(here)},
                         {"rank", std::to_string(rank)},
                         {"command", words}});
    ranks.push_back({.argv = {config.ssh, host, "sh -c " + quoted(script)}, .remote = true});
  }
  return ranks;
}

}  // namespace toolkit::launch
