#include "core/distributed/transport.h"

#include <doctest/doctest.h>

#include <map>

#include "core/base/error.h"

using namespace toolkit;
using namespace toolkit::distributed;

namespace {

std::string transport(const std::map<std::string, std::string>& environment) {
  return transport_of([&](const char* name) {
           const auto found = environment.find(name);
           return found == environment.end() ? std::string() : found->second;
         })
      .name;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the environment says how processes reach each other") {
    CHECK(transport({}).empty());
    CHECK(transport({{"MLX_HOSTFILE", "hosts.json"}}).empty());
    CHECK(transport({{"MLX_RANK", "0"}, {"MLX_HOSTFILE", "hosts.json"}}) == "ring");
    CHECK(transport({{"MLX_RANK", "1"}, {"NCCL_HOST_IP", "10.0.0.1"}}) == "nccl");
    CHECK(transport({{"MLX_RANK", "1"}, {"MLX_IBV_DEVICES", "devices.json"}}) == "jaccl");
    CHECK(transport({{"OMPI_COMM_WORLD_SIZE", "4"}}) == "mpi");
    CHECK(transport({{"PMI_SIZE", "4"}}) == "mpi");
    CHECK_THROWS_WITH_AS(transport({{"MLX_RANK", "1"}}), doctest::Contains("mlx-toolkit launch"),
                         Error);
  }
}
