# The readers of zips and tars:
#
#   cmake -B build/fuzz -DCMAKE_CXX_COMPILER=clang++ -DCALOTYPE_FUZZ=ON
#   ninja -C build/fuzz tar_fuzz
#   build/fuzz/tests/fuzz/tar_fuzz -max_len=65536 NEW tests/fuzz/corpus/tar
foreach(kind zip tar)
  add_executable(${kind}_replay ${kind}_fuzz.cpp replay.cpp)
  target_link_libraries(${kind}_replay PRIVATE calotype::datasets calotype_warnings)
  target_include_directories(${kind}_replay PRIVATE ${PROJECT_SOURCE_DIR})
  calotype_reuse_pch(${kind}_replay)
  add_test(NAME ${kind}_replay
    COMMAND ${kind}_replay ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${kind})
  set_tests_properties(${kind}_replay PROPERTIES LABELS unit COST 1 TIMEOUT 900)

  # The readers alone, without LibTorch, so that all that runs is instrumented.
  if(CALOTYPE_FUZZ)
    add_executable(${kind}_fuzz ${kind}_fuzz.cpp)
    foreach(source core/crc32.cpp core/member_name.cpp core/printable.cpp core/zip_archive.cpp
                   datasets/tar_reader.cpp)
      target_sources(${kind}_fuzz PRIVATE ${PROJECT_SOURCE_DIR}/${source})
    endforeach()
    target_include_directories(${kind}_fuzz PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_options(${kind}_fuzz PRIVATE -O1 -g -fsanitize=fuzzer,address,undefined)
    target_link_options(${kind}_fuzz PRIVATE -fsanitize=fuzzer,address,undefined)
    target_link_libraries(${kind}_fuzz PRIVATE fmt::fmt ZLIB::ZLIB)
    set_target_properties(${kind}_fuzz PROPERTIES UNITY_BUILD OFF)
  endif()
endforeach()
