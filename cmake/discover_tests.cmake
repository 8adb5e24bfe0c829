# Writes the ctest file of one doctest program: one test per case, labelled with the case's suite. Run after the link with
# -D TEST_TARGET, TEST_EXECUTABLE, TEST_WORKING_DIR, CTEST_FILE. doctest's own script asks the program for the label of each
# case by name, which fails for names with commas; this one reads all names and suites from one listing.
cmake_minimum_required(VERSION 3.25)

# What a program has not freed after a listing is no finding.
set(ENV{ASAN_OPTIONS} "$ENV{ASAN_OPTIONS}:detect_leaks=0")
execute_process(COMMAND ${TEST_EXECUTABLE} --list-test-cases --reporters=xml
  WORKING_DIRECTORY ${TEST_WORKING_DIR} OUTPUT_VARIABLE listing RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${TEST_TARGET}: its test cases cannot be listed: ${result}\n${listing}")
endif()

# XML's entities, and what means something in CMake's lists, become <code>: lines can be the items of a list then.
string(REPLACE "&quot;" "<34>" listing "${listing}")
string(REPLACE "&lt;" "<60>" listing "${listing}")
string(REPLACE "&gt;" "<62>" listing "${listing}")
string(REPLACE "&amp;" "<38>" listing "${listing}")
string(REPLACE ";" "<59>" listing "${listing}")
string(REPLACE "[" "<91>" listing "${listing}")
string(REPLACE "]" "<93>" listing "${listing}")
string(REPLACE "\\" "<92>" listing "${listing}")
string(REGEX MATCHALL "<TestCase [^\n]*" cases "${listing}")

function(read_attribute case attribute result)
  set(text "")
  if(case MATCHES " ${attribute}=\"([^\"]*)\"")
    set(text "${CMAKE_MATCH_1}")
  endif()
  foreach(code 34 38 59 60 62 91 92 93)
    string(ASCII ${code} character)
    string(REPLACE "<${code}>" "${character}" text "${text}")
  endforeach()
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

set(script "")
set(filters "")
foreach(case IN LISTS cases)
  read_attribute("${case}" name name)
  read_attribute("${case}" testsuite suite)
  if(suite STREQUAL "")
    message(FATAL_ERROR "${TEST_TARGET}: the case \"${name}\" is in no suite: write it inside TEST_SUITE(\"unit\") or another")
  endif()
  # Characters that mean something in a filter are matched by doctest's sign for any one character.
  string(REGEX REPLACE "[],;*?\"\\[]" "?" filter "${name}")
  string(TOLOWER "${filter}" key)
  if(key IN_LIST filters)
    message(FATAL_ERROR "${TEST_TARGET}: two cases are called \"${name}\", so neither can be run alone")
  endif()
  list(APPEND filters "${key}")
  # A filter that matches no case, or several, makes the test fail.
  string(APPEND script
    "add_test([==[${TEST_TARGET}: ${name}]==] [==[${TEST_EXECUTABLE}]==] [==[--test-case=${filter}]==])\n"
    "set_tests_properties([==[${TEST_TARGET}: ${name}]==] PROPERTIES LABELS [==[${suite}]==]"
    " WORKING_DIRECTORY [==[${TEST_WORKING_DIR}]==] TIMEOUT 600"
    " SKIP_REGULAR_EXPRESSION SKIPPED: FAIL_REGULAR_EXPRESSION [==[test cases: +([02-9]|1[0-9])]==])\n")
endforeach()
file(WRITE ${CTEST_FILE} "${script}")
