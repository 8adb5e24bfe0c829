#include <doctest/doctest.h>

#include <set>

#include "core/base/error.h"
#include "projects/launch/ranks.h"
#include "projects/launch/supervise.h"

using namespace toolkit;
using namespace toolkit::launch;

namespace {

Rank shell(const std::string& script) {
  return {.argv = {"/bin/sh", "-c", script}};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the host file lists one address for each rank and free ports differ") {
    CHECK(hostfile_text({"a:1", "b:2"}) == R"([["a:1"],["b:2"]])");
    const std::vector<int> ports = free_ports(5);
    CHECK(std::set<int>(ports.begin(), ports.end()).size() == 5);
  }

  TEST_CASE("local ranks share the cores") {
    ::unsetenv("MLX_TOOLKIT_THREADS");
    const auto ranks = local_ranks(3, 8, "hosts.json", {"program", "finetune"});
    REQUIRE(ranks.size() == 3);
    CHECK(ranks[2].environment.at("MLX_RANK") == "2");
    CHECK(ranks[2].environment.at("MLX_TOOLKIT_THREADS") == "2");
    CHECK(local_ranks(3, 2, "hosts.json", {"program"})[0].environment.at("MLX_TOOLKIT_THREADS") ==
          "1");
  }

  TEST_CASE("the code of the first that failed is the result and the others end") {
    CHECK(supervise({shell("exit 0"), shell("exit 0")}) == 0);
    CHECK(supervise({shell("sleep 600"), shell("exit 7")}) == 7);
    CHECK(supervise({shell("kill -9 $$"), shell("sleep 600")}) == 137);
    CHECK_THROWS_AS(supervise({{.argv = {"/no/such/program"}}}), Error);
  }

  TEST_CASE("a remote rank runs in a shell with its rank and host file") {
    // Stands in for ssh: runs the script here.
    Config config;
    config.ssh = "/bin/sh";
    config.hosts = {"me@one", "two"};
    std::vector<Rank> ranks = remote_ranks(
        config, {"sh", "-c", R"(grep -q '"two:32324"' "$MLX_HOSTFILE" && exit 4$MLX_RANK)"});
    for (Rank& rank : ranks) rank.argv = {"/bin/sh", "-c", rank.argv.back()};
    CHECK(supervise({ranks[0]}) == 40);
    CHECK(supervise({ranks[1]}) == 41);
    config.hosts = {"-oProxyCommand=x"};
    CHECK_THROWS_AS(remote_ranks(config, {"sh"}), Error);
  }
}
