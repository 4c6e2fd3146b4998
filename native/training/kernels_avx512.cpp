#define OPENHEARTH_AVX512
#define OPENHEARTH_ISA avx512
#include "rows.h"

extern const TrainingKernels avx512_training;
const TrainingKernels avx512_training = {"avx512", avx512::ROWS<float>, avx512::ROWS<Brain>};
