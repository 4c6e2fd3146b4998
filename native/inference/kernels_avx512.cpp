#define OPENHEARTH_AVX512
#define OPENHEARTH_ISA avx512
#include <algorithm>

#include "attend.h"
#include "convolve.h"
#include "multiply.h"
#include "recur.h"
#include "replace.h"
#include "vectors.h"

extern const Kernels avx512_kernels;
const Kernels avx512_kernels = {
    "avx512",
    avx512::multiply,
    avx512::quantise,
    avx512::rms_norm,
    avx512::layer_norm,
    avx512::silu_product,
    avx512::gelu_product,
    avx512::gelu_tanh_product,
    avx512::gelu,
    avx512::gelu_tanh,
    avx512::relu2,
    avx512::cap,
    avx512::softmax,
    avx512::add<Half>,
    avx512::add<float>,
    avx512::put,
    avx512::put_sum,
    avx512::narrow<int16_t>,
    avx512::narrow<int8_t>,
    avx512::rotate,
    avx512::attend,
    avx512::convolve,
    avx512::rates,
    avx512::sigmoid,
    avx512::recall,
    avx512::select,
    avx512::modal,
    avx512::terms,
    avx512::replace,
    avx512::bonus,
};
