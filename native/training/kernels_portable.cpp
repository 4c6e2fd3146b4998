#define OPENHEARTH_ISA portable
#include "rows.h"

extern const TrainingKernels portable_training;
const TrainingKernels portable_training = {"portable", portable::ROWS<float>, portable::ROWS<Brain>};
