# cmake -D BUILD=... -D SOURCE=... -P consumer.cmake
#
# Installs BUILD into a new folder, builds the two short programs beside this file
# against it and runs all three: what is installed needs neither tree, and who links
# the store alone needs neither OpenCV nor a library of image files.
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

# build_consumer(folder [PREFIX...]): the commands run behind PREFIX.
function(build_consumer name)
  run(${ARGN} ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/${name} -B ${work}/${name}
    -G ${GENERATOR} -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CXX_FLAGS=${CXX_FLAGS})
  run(${ARGN} ${CMAKE_COMMAND} --build ${work}/${name})
endfunction()

build_consumer(consumer)
run(${work}/consumer/consumer)
if(NOT output MATCHES "\"kind\":\"moments\".*\"count\":[0-9]")
  message(FATAL_ERROR "the program printed: ${output}")
endif()

# On a machine where pkg-config knows of the store's libraries alone.
file(MAKE_DIRECTORY ${work}/pkgconfig)
foreach(package hdf5-serial hdf5 libxxhash)
  execute_process(COMMAND pkg-config --variable=pcfiledir ${package}
    OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(EXISTS ${folder}/${package}.pc)
    file(COPY ${folder}/${package}.pc DESTINATION ${work}/pkgconfig FOLLOW_SYMLINK_CHAIN)
  endif()
endforeach()
build_consumer(store_consumer
  ${CMAKE_COMMAND} -E env PKG_CONFIG_LIBDIR=${work}/pkgconfig PKG_CONFIG_PATH=)
run(${work}/store_consumer/store_consumer ${work}/store)
if(NOT output STREQUAL "3 rows\n")
  message(FATAL_ERROR "the program printed: ${output}")
endif()
# What it was linked with, not what LibTorch links.
run(readelf -d ${work}/store_consumer/store_consumer)
if(output MATCHES "NEEDED[^\n]*(opencv|jpeg|webp|lcms|jxl|avif)")
  message(FATAL_ERROR "a program of the store alone is linked with ${CMAKE_MATCH_1}:\n${output}")
endif()
