#define OPENHEARTH_AVX2
#define OPENHEARTH_ISA avx2
#include <algorithm>

#include "attend.h"
#include "multiply.h"
#include "vectors.h"

extern const Kernels avx2_kernels;
const Kernels avx2_kernels = {
    "avx2",
    avx2::multiply,
    avx2::quantise,
    avx2::rms_norm,
    avx2::layer_norm,
    avx2::silu_product,
    avx2::gelu_product,
    avx2::gelu,
    avx2::gelu_tanh,
    avx2::add<Half>,
    avx2::add<float>,
    avx2::put,
    avx2::put_sum,
    avx2::narrow<int16_t>,
    avx2::narrow<int8_t>,
    avx2::rotate,
    avx2::attend,
};
