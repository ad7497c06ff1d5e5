# calotype_warnings: the warnings of our own code.
# calotype_pch:      the precompiled header that every target reuses.
add_library(calotype_warnings INTERFACE)
# Designated initialisers leave fields to their defaults on purpose. Once inlined,
# LibTorch 2's std::vector<bool> looks out of bounds to GCC 14, and is not.
target_compile_options(calotype_warnings INTERFACE $<BUILD_INTERFACE:
  -Wall;-Wextra;-Wno-missing-field-initializers;-Wshadow;-Wnon-virtual-dtor;-Woverloaded-virtual>
  $<$<BOOL:${CALOTYPE_WERROR}>:$<BUILD_INTERFACE:-Werror;-Wno-error=array-bounds>>)
install(TARGETS calotype_warnings EXPORT calotypeTargets)

if(CALOTYPE_PCH)
  file(WRITE ${PROJECT_BINARY_DIR}/calotype_pch.cpp "")
  add_library(calotype_pch OBJECT ${PROJECT_BINARY_DIR}/calotype_pch.cpp)
  target_link_libraries(calotype_pch PRIVATE
    calotype_warnings torch fmt::fmt nlohmann_json::nlohmann_json Threads::Threads OpenMP::OpenMP_CXX)
  target_precompile_headers(calotype_pch PRIVATE ${PROJECT_SOURCE_DIR}/cmake/pch.h)
endif()

# Compiles `target` with that header.
function(calotype_reuse_pch target)
  if(CALOTYPE_PCH)
    target_precompile_headers(${target} REUSE_FROM calotype_pch)
  endif()
endfunction()
