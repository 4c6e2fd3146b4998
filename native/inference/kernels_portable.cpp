#define OPENHEARTH_ISA portable
#include <algorithm>

#include "attend.h"
#include "convolve.h"
#include "multiply.h"
#include "recur.h"
#include "replace.h"
#include "vectors.h"

extern const Kernels portable_kernels;
const Kernels portable_kernels = {
    "portable",
    portable::multiply,
    portable::quantise,
    portable::rms_norm,
    portable::layer_norm,
    portable::silu_product,
    portable::gelu_product,
    portable::gelu_tanh_product,
    portable::gelu,
    portable::gelu_tanh,
    portable::relu2,
    portable::cap,
    portable::softmax,
    portable::add<Half>,
    portable::add<float>,
    portable::put,
    portable::put_sum,
    portable::narrow<int16_t>,
    portable::narrow<int8_t>,
    portable::rotate,
    portable::attend,
    portable::convolve,
    portable::rates,
    portable::sigmoid,
    portable::recall,
    portable::select,
    portable::modal,
    portable::terms,
    portable::replace,
    portable::bonus,
};
