#define OPENHEARTH_AVX2
#define OPENHEARTH_ISA avx2
#include <algorithm>

#include "attend.h"
#include "convolve.h"
#include "multiply.h"
#include "recur.h"
#include "replace.h"
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
    avx2::gelu_tanh_product,
    avx2::gelu,
    avx2::gelu_tanh,
    avx2::relu2,
    avx2::cap,
    avx2::softmax,
    avx2::add<Half>,
    avx2::add<float>,
    avx2::put,
    avx2::put_sum,
    avx2::narrow<int16_t>,
    avx2::narrow<int8_t>,
    avx2::rotate,
    avx2::attend,
    avx2::convolve,
    avx2::rates,
    avx2::sigmoid,
    avx2::recall,
    avx2::select,
    avx2::modal,
    avx2::terms,
    avx2::replace,
    avx2::bonus,
};
