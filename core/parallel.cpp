#include "core/parallel.h"

#include <omp.h>

namespace calotype {

void use_one_thread() {
  // LibTorch gives a thread the process's number at its first question, and
  // would do so later; at::set_num_threads would change that of the process.
  // Whether a thread has asked is known twice with LibTorch 2: to it, and to
  // whoever is compiled with its header.
  at::get_num_threads();
  at::internal::lazy_init_num_threads();
  omp_set_num_threads(1);
}

}  // namespace calotype
