# calotype_module(name SOURCES a.cpp ... [USES other ...] [LINKS target ...])
#
# One static library per folder, named calotype_<name>, with the alias
# calotype::<name>. USES repeats the arrows of docs/ARCHITECTURE.md: the public
# headers of a folder may include those of the folders named there. LINKS are
# third parties that only the folder's own sources see, as do PRIVATE_HEADERS, which
# include them; all other headers are installed.
function(calotype_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES;LINKS;PRIVATE_HEADERS")
  add_library(calotype_${name} STATIC ${arg_SOURCES})
  add_library(calotype::${name} ALIAS calotype_${name})
  target_compile_features(calotype_${name} PUBLIC cxx_std_20)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  foreach(header ${arg_PRIVATE_HEADERS})
    list(REMOVE_ITEM headers ${CMAKE_CURRENT_SOURCE_DIR}/${header})
  endforeach()
  target_sources(calotype_${name} PUBLIC
    FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
  target_link_libraries(calotype_${name}
    PUBLIC ${arg_USES}
    PRIVATE calotype_warnings ${arg_LINKS})
  calotype_reuse_pch(calotype_${name})
  set_property(GLOBAL APPEND PROPERTY CALOTYPE_MODULES ${name})
  set(folders ${arg_USES})
  list(FILTER folders INCLUDE REGEX "^calotype::")
  list(TRANSFORM folders REPLACE "^calotype::" "")
  set_property(GLOBAL PROPERTY CALOTYPE_USES_${name} ${folders})

  set_target_properties(calotype_${name} PROPERTIES EXPORT_NAME ${name})
  install(TARGETS calotype_${name} EXPORT calotypeTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/calotype)
endfunction()
