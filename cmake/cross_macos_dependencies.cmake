# The outside libraries of a cross build for macOS: headers of the Debian packages (copied to
# build/cross-macos/include by scripts/cross_macos), yaml-cpp and Highway from their Debian sources.
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
cross_header_library(OpenSSL::Crypto)
cross_header_library(CURL::libcurl)
cross_header_library(SQLite::SQLite3)
cross_header_library(Boost::headers)
# Linked against the stubs scripts/cross_macos makes: their names and where a Mac has the library.
target_link_libraries(OpenSSL::Crypto INTERFACE ${cross_root}/stubs/libcrypto.tbd)
target_link_libraries(CURL::libcurl INTERFACE ${cross_root}/stubs/libcurl.tbd)
target_link_libraries(SQLite::SQLite3 INTERFACE ${cross_root}/stubs/libsqlite3.tbd)

file(GLOB yaml_sources ${cross_root}/yaml-cpp/src/*.cpp)
add_library(yaml-cpp STATIC ${yaml_sources})
target_include_directories(yaml-cpp SYSTEM PUBLIC ${cross_root}/yaml-cpp/include)
target_compile_definitions(yaml-cpp PUBLIC YAML_CPP_STATIC_DEFINE)
target_compile_options(yaml-cpp PRIVATE -w)

set(highway_sources aligned_allocator per_target print targets)
list(TRANSFORM highway_sources PREPEND ${cross_root}/highway/hwy/)
list(TRANSFORM highway_sources APPEND .cc)
add_library(hwy_hwy STATIC ${highway_sources})
target_include_directories(hwy_hwy SYSTEM PUBLIC ${cross_root}/highway)
target_compile_definitions(hwy_hwy PUBLIC HWY_STATIC_DEFINE)
target_compile_options(hwy_hwy PRIVATE -w)
add_library(hwy::hwy ALIAS hwy_hwy)
