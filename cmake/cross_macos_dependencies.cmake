# The outside libraries of a cross build for macOS: headers of the Debian packages (copied to
# build/cross-macos/include by scripts/cross_macos), yaml-cpp from its Debian source.
set(cross_root ${CMAKE_SOURCE_DIR}/build/cross-macos)
set(CMAKE_SHARED_LIBRARY_RUNTIME_C_FLAG "-Wl,-rpath,")  # CMake asks a Mac's otool for it
set(CMAKE_SHARED_LIBRARY_RUNTIME_CXX_FLAG "-Wl,-rpath,")

find_package(Threads REQUIRED)

function(cross_header_library name)
  add_library(${name} INTERFACE IMPORTED)
  target_include_directories(${name} SYSTEM INTERFACE ${cross_root}/include)
  target_compile_definitions(${name} INTERFACE ${ARGN})
endfunction()

cross_header_library(fmt::fmt FMT_HEADER_ONLY)
cross_header_library(spdlog::spdlog SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY)
cross_header_library(nlohmann_json::nlohmann_json)
cross_header_library(CLI11::CLI11)
# Enough to compile mlx-cache's folders; a program that uses them is not linked by the cross build yet.
cross_header_library(OpenSSL::Crypto)
cross_header_library(CURL::libcurl)
cross_header_library(SQLite::SQLite3)

file(GLOB yaml_sources ${cross_root}/yaml-cpp/src/*.cpp)
add_library(yaml-cpp STATIC ${yaml_sources})
target_include_directories(yaml-cpp SYSTEM PUBLIC ${cross_root}/yaml-cpp/include)
target_compile_definitions(yaml-cpp PUBLIC YAML_CPP_STATIC_DEFINE)
target_compile_options(yaml-cpp PRIVATE -w)
