# Compiles for Apple Silicon on Linux with zig's clang. Used by scripts/cross_macos, which makes the
# wrappers named here.
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(CMAKE_SYSTEM_VERSION 23)
get_filename_component(cross_root ${CMAKE_CURRENT_LIST_DIR}/../build/cross-macos ABSOLUTE)
set(cross_bin ${cross_root}/bin)
set(CMAKE_C_COMPILER ${cross_bin}/cc)
set(CMAKE_CXX_COMPILER ${cross_bin}/c++)
set(CMAKE_AR ${cross_bin}/ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${cross_bin}/ranlib CACHE FILEPATH "")
set(CMAKE_INSTALL_NAME_TOOL ${cross_bin}/install_name_tool CACHE FILEPATH "")
set(CMAKE_C_COMPILER_LAUNCHER "" CACHE STRING "")
set(CMAKE_CXX_COMPILER_LAUNCHER "" CACHE STRING "")
# Nothing of this machine may be found by accident.
set(CMAKE_FIND_ROOT_PATH ${cross_root})
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
