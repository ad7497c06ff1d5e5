# cmake -D BUILD=... -D SOURCE=... -D VERSION_TEXT=... -P consumer.cmake
#
# Installs BUILD into a new folder, builds the ten-line program beside this file
# against it and runs both programs: what is installed needs neither tree.
cmake_minimum_required(VERSION 3.25)
set(work ${BUILD}/tests/house/consumer_work)
set(prefix ${work}/prefix)
file(REMOVE_RECURSE ${work})

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code
    OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(code)
    message(FATAL_ERROR "${ARGV}\nfailed with ${code}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})

file(GLOB_RECURSE package_files ${prefix}/*.cmake)
if(NOT package_files)
  message(FATAL_ERROR "nothing for find_package in ${prefix}")
endif()
# The path must begin where a path can begin: "/calotype" is no part of
# "lib/cmake/calotype".
foreach(file ${package_files})
  file(READ ${file} text)
  foreach(tree ${BUILD} ${SOURCE})
    string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" pattern ${tree})
    if(text MATCHES "(^|[^A-Za-z0-9_./}-])${pattern}(/|[^A-Za-z0-9_.-]|$)")
      message(FATAL_ERROR "${file} names ${tree}, which a user does not have")
    endif()
  endforeach()
endforeach()

run(${prefix}/bin/calotype --version)

run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${work}/build
  -G ${GENERATOR} -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CXX_FLAGS=${CXX_FLAGS})
run(${CMAKE_COMMAND} --build ${work}/build)
run(${work}/build/consumer)
if(NOT output MATCHES "\"kind\":\"moments\".*\"count\":[0-9]")
  message(FATAL_ERROR "the program printed: ${output}")
endif()
