#pragma once

// CALOTYPE_FOR_EACH_CPU before a function: one version of it for each
// instruction set, chosen when the program is loaded. Such functions stand in
// files of their own without LibTorch, whose precompiled header has other
// flags. What they call must be inlined into them. Not under sanitizers: what
// chooses the version runs before they are there.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CALOTYPE_FOR_EACH_CPU \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CALOTYPE_FOR_EACH_CPU
#endif
