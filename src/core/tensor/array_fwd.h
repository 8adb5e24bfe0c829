#pragma once

/// Enough of MLX for headers that only pass arrays on; mlx/mlx.h costs over a second per file.
namespace mlx::core {
class array;
}

namespace mx = mlx::core;
