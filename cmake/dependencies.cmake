# Every outside library of the C++ code, in one place. Why each is here: docs/dependencies.md.
# Debian package / Homebrew formula in the comment.

if(TOOLKIT_CROSS_MACOS)
  include(cross_macos_dependencies)
else()
  find_package(Threads REQUIRED)
  find_package(fmt REQUIRED)            # libfmt-dev            / fmt
  find_package(spdlog REQUIRED)         # libspdlog-dev         / spdlog
  find_package(nlohmann_json REQUIRED)  # nlohmann-json3-dev    / nlohmann-json
  find_package(yaml-cpp REQUIRED)       # libyaml-cpp-dev       / yaml-cpp
  find_package(CLI11 REQUIRED)          # libcli11-dev          / cli11
  find_package(OpenSSL 3 REQUIRED)      # libssl-dev            / openssl@3
  find_package(CURL 7.88 REQUIRED)      # libcurl4-openssl-dev  / the system's
  find_package(SQLite3 3.40 REQUIRED)   # libsqlite3-dev        / the system's
  # Of the servers: mlx-cache alone is built without.
  find_package(Boost 1.81 CONFIG QUIET) # libboost1.81-dev      / boost
  if(TOOLKIT_ENGINE AND NOT Boost_FOUND)
    message(FATAL_ERROR "Boost 1.81 or newer not found. Run `make setup` first.")
  endif()
  if(NOT Boost_FOUND)
    message(STATUS "No Boost 1.81: without mlx-dash, whose proxy is a server")
  endif()
endif()
if(TOOLKIT_QT AND NOT TOOLKIT_CROSS_MACOS)
  find_package(Qt6 6.4 QUIET COMPONENTS Widgets Charts Test)  # qt6-base-dev, libqt6opengl6-dev, qt6-charts-dev / qt
endif()
if(NOT TOOLKIT_CROSS_MACOS)
  find_library(LIBZIP_LIBRARY zip)  # libzip-dev / libzip; its CMake package on Debian 12 asks for programs that are not there
  find_path(LIBZIP_INCLUDE zip.h)
endif()
if(NOT LIBZIP_LIBRARY OR NOT LIBZIP_INCLUDE)
  message(STATUS "No libzip: without mlx-diag")
endif()
if(NOT Qt6_FOUND)
  message(STATUS "No Qt 6 (or TOOLKIT_QT=OFF): mlx-dash without windows")
endif()
if(TOOLKIT_TESTS)
  find_package(doctest REQUIRED)      # doctest-dev           / doctest
endif()
if(NOT TARGET yaml-cpp::yaml-cpp)     # the target was renamed in yaml-cpp 0.8
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()
if(TOOLKIT_CPU_KERNELS AND TOOLKIT_ENGINE AND NOT TARGET hwy::hwy)
  find_package(hwy REQUIRED)          # libhwy-dev            / highway
endif()

if(NOT TOOLKIT_ENGINE)
  return()
endif()

# MLX comes from its wheel: `make setup` puts it into .venv, `scripts/setup --cuda` the one for NVIDIA GPUs into .venv-cuda.
set(TOOLKIT_VENV .venv CACHE STRING "virtual environment with MLX's wheel, in the source folder")
if(NOT MLX_ROOT)
  # Not asked of the wheel itself: the one for NVIDIA GPUs cannot be imported where there is no driver, but can be built with.
  file(GLOB MLX_ROOT ${CMAKE_SOURCE_DIR}/${TOOLKIT_VENV}/lib/python3.*/site-packages/mlx)
endif()
if(NOT MLX_ROOT)
  message(FATAL_ERROR "MLX not found. Run `make setup` first, or give -DMLX_ROOT=<folder of the MLX wheel>.")
endif()
if(TOOLKIT_VENV STREQUAL ".venv-cuda")
  # The package of MLX's CUDA wheel asks for NVIDIA's compiler, which only MLX itself is built with.
  add_library(mlx SHARED IMPORTED)
  set_target_properties(mlx PROPERTIES IMPORTED_LOCATION ${MLX_ROOT}/lib/libmlx.so
                        INTERFACE_INCLUDE_DIRECTORIES ${MLX_ROOT}/include)
else()
  find_package(MLX CONFIG REQUIRED PATHS ${MLX_ROOT} NO_DEFAULT_PATH)
endif()

# The wheel's BLAS is the reference one. OpenBLAS linked *before* MLX answers its cblas_* calls.
add_library(toolkit_mlx INTERFACE)
if(APPLE)
  if(TOOLKIT_CROSS_MACOS)
    # The package names frameworks of the SDK it was built with, which are not here; libmlx.dylib names them itself.
    set_target_properties(mlx PROPERTIES INTERFACE_LINK_LIBRARIES "")
  endif()
  target_link_libraries(toolkit_mlx INTERFACE mlx)
else()
  find_library(OPENBLAS_LIBRARY openblas REQUIRED)  # libopenblas-dev
  target_link_libraries(toolkit_mlx INTERFACE
    -Wl,--no-as-needed ${OPENBLAS_LIBRARY} -Wl,--as-needed mlx)
endif()
get_target_property(mlx_includes mlx INTERFACE_INCLUDE_DIRECTORIES)
target_include_directories(toolkit_mlx SYSTEM INTERFACE ${mlx_includes})
