# Everything that Calotype takes from elsewhere, as far as the folders in
# `calotype_folders` need it. The installed package runs this file too, so that a
# consumer resolves the same targets.
find_package(Torch REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(Threads REQUIRED)
# ATen's parallel_for is a serial loop in whatever is compiled without it.
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(PkgConfig REQUIRED)
pkg_check_modules(calotype_xxhash REQUIRED IMPORTED_TARGET libxxhash)

if("store" IN_LIST calotype_folders)
  pkg_search_module(calotype_hdf5 REQUIRED IMPORTED_TARGET hdf5-serial hdf5)
endif()

if("models" IN_LIST calotype_folders)
  pkg_check_modules(calotype_yaml REQUIRED IMPORTED_TARGET yaml-cpp)
endif()

if("explorer" IN_LIST calotype_folders)
  pkg_check_modules(calotype_microhttpd REQUIRED IMPORTED_TARGET libmicrohttpd)
endif()

# The engine of LibTorch's c10d for CPUs, whose header asks for Gloo's own.
if("distributed" IN_LIST calotype_folders AND CALOTYPE_GLOO AND NOT TARGET calotype_gloo)
  find_path(CALOTYPE_GLOO_INCLUDE gloo/rendezvous/store.h)
  find_library(CALOTYPE_GLOO_LIBRARY gloo)
  if(CALOTYPE_GLOO_INCLUDE AND CALOTYPE_GLOO_LIBRARY)
    add_library(calotype_gloo INTERFACE IMPORTED)
    target_include_directories(calotype_gloo INTERFACE ${CALOTYPE_GLOO_INCLUDE})
    target_link_libraries(calotype_gloo INTERFACE ${CALOTYPE_GLOO_LIBRARY})
  endif()
endif()

if("images" IN_LIST calotype_folders)
  find_package(ZLIB REQUIRED)
  pkg_check_modules(calotype_jpeg REQUIRED IMPORTED_TARGET libjpeg)
  pkg_check_modules(calotype_lcms REQUIRED IMPORTED_TARGET lcms2)
  pkg_check_modules(calotype_webp REQUIRED IMPORTED_TARGET libwebp libwebpdemux)
  pkg_check_modules(calotype_stb REQUIRED IMPORTED_TARGET stb)

  # Formats that a build can do without; the first two are also measured beside.
  if(CALOTYPE_JXL)
    pkg_check_modules(calotype_jxl IMPORTED_TARGET libjxl>=0.7)
  endif()
  if(CALOTYPE_AVIF)
    pkg_check_modules(calotype_avif IMPORTED_TARGET libavif>=0.11)
  endif()

  if(CALOTYPE_HEIF)
    pkg_check_modules(calotype_heif IMPORTED_TARGET libheif>=1.6)
  endif()
  if(CALOTYPE_TIFF)
    pkg_check_modules(calotype_tiff IMPORTED_TARGET libtiff-4)
  endif()
  if(CALOTYPE_GIF)
    find_package(GIF 5)
    if(GIF_FOUND AND NOT TARGET PkgConfig::calotype_gif)
      add_library(PkgConfig::calotype_gif ALIAS GIF::GIF)
    endif()
  endif()
  # Only to read compressed tars.
  if(CALOTYPE_ARCHIVE)
    pkg_check_modules(calotype_archive IMPORTED_TARGET libarchive>=3.4)
  endif()

  # Debian keeps OpenCVConfig.cmake in libopencv-dev, which pulls in every module of
  # OpenCV and its desktop; core and imgproc are found by hand instead.
  if(NOT TARGET calotype_opencv)
    find_path(CALOTYPE_OPENCV_INCLUDE opencv2/imgproc.hpp PATH_SUFFIXES opencv4 REQUIRED)
    find_library(CALOTYPE_OPENCV_CORE opencv_core REQUIRED)
    find_library(CALOTYPE_OPENCV_IMGPROC opencv_imgproc REQUIRED)
    add_library(calotype_opencv INTERFACE IMPORTED)
    target_include_directories(calotype_opencv INTERFACE ${CALOTYPE_OPENCV_INCLUDE})
    target_link_libraries(calotype_opencv INTERFACE
      ${CALOTYPE_OPENCV_IMGPROC} ${CALOTYPE_OPENCV_CORE})
  endif()
endif()
