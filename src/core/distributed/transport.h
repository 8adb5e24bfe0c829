#pragma once

#include <functional>
#include <string>

namespace toolkit::distributed {

/// How the processes of a group reach each other; "" is no group: this process works alone.
struct Transport {
  std::string name;  // "ring", "mpi", "nccl", "jaccl": MLX's names
};

/// What the environment asks for. MLX_RANK with MLX_HOSTFILE means ring, with MLX_IBV_DEVICES
/// jaccl, with NCCL_HOST_IP nccl; a process started by mpirun (Open MPI, MPICH, Slurm's PMI) means
/// mpi. Throws Error(kUserInput) for MLX_RANK without any of the others. `variable` reads one
/// environment variable and returns "" where there is none.
Transport transport_of(const std::function<std::string(const char*)>& variable);

/// The same of this process's environment.
Transport transport_of_environment();

}  // namespace toolkit::distributed
