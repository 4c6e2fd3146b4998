#define OPENHEARTH_AVX2
#define OPENHEARTH_ISA avx2
#include "rows.h"

extern const TrainingKernels avx2_training;
const TrainingKernels avx2_training = {"avx2", avx2::ROWS<float>, avx2::ROWS<Brain>};
