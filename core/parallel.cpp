#include "core/parallel.h"

#include <omp.h>

namespace calotype {

void use_one_thread() {
  // LibTorch gives a thread the process's number at its first question, and
  // would do so later; at::set_num_threads would change that of the process.
  at::get_num_threads();
  omp_set_num_threads(1);
}

}  // namespace calotype
