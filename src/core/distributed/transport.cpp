#include "core/distributed/transport.h"

#include <cstdlib>

#include "core/base/error.h"

namespace toolkit::distributed {

Transport transport_of(const std::function<std::string(const char*)>& variable) {
  const bool ranked = !variable("MLX_RANK").empty();
  if (ranked && !variable("MLX_IBV_DEVICES").empty()) return {"jaccl"};
  if (ranked && !variable("MLX_HOSTFILE").empty()) return {"ring"};
  if (ranked && !variable("NCCL_HOST_IP").empty()) return {"nccl"};
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"})
    if (!variable(name).empty()) return {"mpi"};
  if (ranked)
    fail(ErrorKind::kUserInput,
         "MLX_RANK is set, but none of MLX_HOSTFILE (ring), MLX_IBV_DEVICES (jaccl) and "
         "NCCL_HOST_IP (nccl) says where the other processes are; start them with `mlx-toolkit "
         "launch`, or unset MLX_RANK");
  return {};
}

Transport transport_of_environment() {
  return transport_of([](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  });
}

}  // namespace toolkit::distributed
