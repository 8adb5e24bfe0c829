#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

// No test writes to the user's own ~/.mlx-infrastructure.
int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  const fs::path home =
      fs::temp_directory_path() / ("toolkit_test_home_" + std::to_string(::getpid()));
  ::setenv("MLX_INFRASTRUCTURE_HOME", home.c_str(), 1);
  // On CUDA MLX rounds the inputs of f32 products to 10 bits; the tests compare digits beyond that.
  ::setenv("MLX_ENABLE_TF32", "0", 0);
  const int result = doctest::Context(argc, argv).run();
  std::error_code ignored;
  fs::remove_all(home, ignored);
  return result;
}
