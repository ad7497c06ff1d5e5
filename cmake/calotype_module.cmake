# calotype_module(name SOURCES a.cpp ... [USES other ...] [LINKS target ...])
#
# One static library per folder, named calotype_<name>, with the alias
# calotype::<name>. USES repeats the arrows of docs/ARCHITECTURE.md: the public
# headers of a folder may include those of the folders named there. LINKS are
# third parties that only the folder's own sources see.
function(calotype_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES;LINKS")
  add_library(calotype_${name} STATIC ${arg_SOURCES})
  add_library(calotype::${name} ALIAS calotype_${name})
  target_compile_features(calotype_${name} PUBLIC cxx_std_20)
  target_include_directories(calotype_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/calotype>)
  target_link_libraries(calotype_${name}
    PUBLIC ${arg_USES}
    PRIVATE calotype_warnings ${arg_LINKS})
  calotype_reuse_pch(calotype_${name})
  set_property(GLOBAL APPEND PROPERTY CALOTYPE_MODULES ${name})

  set_target_properties(calotype_${name} PROPERTIES EXPORT_NAME ${name})
  install(TARGETS calotype_${name} EXPORT calotypeTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/calotype/${name}
    FILES_MATCHING PATTERN "*.h")
endfunction()
