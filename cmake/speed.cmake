# Build speed: use ccache and the mold linker where they are installed.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # What another build folder (the wheel's) compiles alike is compiled once.
  set(shared_ccache env CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${shared_ccache})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${shared_ccache})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM AND NOT APPLE)
  add_link_options(-fuse-ld=mold)
endif()
