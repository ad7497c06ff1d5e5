# cmake --install: the program (tools/), the libraries with their headers
# (calotype_module puts them into calotypeTargets), and, from here, what
# find_package(calotype) reads.
include(CMakePackageConfigHelpers)

get_property(modules GLOBAL PROPERTY CALOTYPE_MODULES)
add_library(calotype_all INTERFACE)
list(TRANSFORM modules PREPEND calotype:: OUTPUT_VARIABLE targets)
target_link_libraries(calotype_all INTERFACE ${targets})
set_target_properties(calotype_all PROPERTIES EXPORT_NAME calotype)

install(TARGETS calotype_all EXPORT calotypeTargets)

# What this build links, a consumer must find.
foreach(format jxl avif heif tiff gif archive)
  set(has_${format} OFF)
  if(TARGET PkgConfig::calotype_${format})
    set(has_${format} ON)
  endif()
endforeach()

# With all that each folder links, for find_package's COMPONENTS.
function(uses_of folder result)
  get_property(uses GLOBAL PROPERTY CALOTYPE_USES_${folder})
  set(all "")
  foreach(use ${uses})
    uses_of(${use} further)
    list(APPEND all ${use} ${further})
  endforeach()
  list(REMOVE_DUPLICATES all)
  set(${result} "${all}" PARENT_SCOPE)
endfunction()
set(folder_uses "")
foreach(module ${modules})
  uses_of(${module} uses)
  string(APPEND folder_uses "set(calotype_uses_${module} \"${uses}\")\n")
endforeach()

set(has_gloo OFF)
if(TARGET calotype_gloo)
  set(has_gloo ON)
endif()
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/calotype)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/calotypeConfig.cmake.in
  ${PROJECT_BINARY_DIR}/calotypeConfig.cmake INSTALL_DESTINATION ${package_folder})
# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/calotypeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_SOURCE_DIR}/cmake/calotype_dependencies.cmake
  ${PROJECT_BINARY_DIR}/calotypeConfig.cmake
  ${PROJECT_BINARY_DIR}/calotypeConfigVersion.cmake
  DESTINATION ${package_folder})
install(EXPORT calotypeTargets NAMESPACE calotype:: DESTINATION ${package_folder})
