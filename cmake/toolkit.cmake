# One call per folder: toolkit_library(name SOURCES ... DEPENDS ... [TESTS ...]).
# SOURCES and TESTS are relative to the folder; DEPENDS is checked against every #include by
# scripts/check_layers.py, so a folder uses exactly what it lists.

add_library(toolkit_options INTERFACE)
target_compile_features(toolkit_options INTERFACE cxx_std_20)
target_include_directories(toolkit_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(toolkit_options INTERFACE -Wall -Wextra -Wshadow -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 reports these for std::string and fmt code that is right (GCC bugs 105651, 105545).
  target_compile_options(toolkit_options INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
endif()
if(TOOLKIT_WERROR)
  target_compile_options(toolkit_options INTERFACE -Werror)
endif()

function(toolkit_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;TESTS;TEST_DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC toolkit_options ${ARG_DEPENDS})
  if(TOOLKIT_TESTS AND ARG_TESTS)
    add_executable(${name}_test ${ARG_TESTS} ${CMAKE_SOURCE_DIR}/tests/test_main.cpp)
    target_link_libraries(${name}_test PRIVATE ${name} ${ARG_TEST_DEPENDS} doctest::doctest)
    # A test's own code runs for an instant; optimizing it is half of its compile time, with sanitizers two thirds.
    target_compile_options(${name}_test PRIVATE $<IF:$<CONFIG:Debug>,-O0,-O1>)
    target_compile_definitions(${name}_test PRIVATE
      TOOLKIT_SOURCE_DIR="${CMAKE_SOURCE_DIR}" TOOLKIT_FIXTURES="${CMAKE_SOURCE_DIR}/tests/fixtures")
    toolkit_discover_tests(${name}_test)
  endif()
endfunction()

# Registers every doctest case of a program with ctest, labelled with its suite. A case whose output has a line that
# starts with "SKIPPED:" is counted by ctest as skipped, never as passed.
function(toolkit_discover_tests target)
  set(tests_file ${CMAKE_CURRENT_BINARY_DIR}/${target}_tests.cmake)
  set(include_file ${CMAKE_CURRENT_BINARY_DIR}/${target}_include.cmake)
  add_custom_command(TARGET ${target} POST_BUILD BYPRODUCTS ${tests_file} VERBATIM
    COMMAND ${CMAKE_COMMAND} -D TEST_TARGET=${target} -D TEST_EXECUTABLE=$<TARGET_FILE:${target}>
            -D TEST_WORKING_DIR=${CMAKE_CURRENT_BINARY_DIR} -D CTEST_FILE=${tests_file}
            -P ${CMAKE_SOURCE_DIR}/cmake/discover_tests.cmake)
  file(WRITE ${include_file} "if(EXISTS [==[${tests_file}]==])\n  include([==[${tests_file}]==])\n"
    "else()\n  add_test(${target}_NOT_BUILT ${target}_NOT_BUILT)\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${include_file})
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/discover_tests.cmake)
  set_property(GLOBAL APPEND PROPERTY TOOLKIT_TEST_PROGRAMS ${target})
endfunction()

function(toolkit_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE toolkit_options ${ARG_DEPENDS})
endfunction()
