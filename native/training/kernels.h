// Kernels of training on single rows, of floats or of bfloat16: each does while a row is in the
// cache what torch does in several passes over memory. Sums and exponentials are of floats; what comes out is rounded once.
#pragma once

#include <cstddef>
#include <vector>

#include "../inference/half.h"

template <class Number>
struct RowKernels {
    // x / sqrt(mean square + eps) * weight, and the factor of x in it.
    void (*norm)(const Number* x, const Number* weight, size_t width, float eps, Number* out, float* inverse);
    // The gradient of x, if `dx` is there, and what this row adds to that of the weight, if `dweight` is.
    void (*norm_back)(const Number* outer, const Number* x, const Number* weight, size_t width, float inverse, Number* dx, float* dweight);
    // silu(gate) * up.
    void (*gate)(const Number* gate, const Number* up, size_t count, Number* out);
    void (*gate_back)(const Number* outer, const Number* gate, const Number* up, size_t count, Number* dgate, Number* dup);
    // A head of `size` numbers, whose pairs (x[i], x[half + i]) are turned by angles, or back if `sign` is -1.
    void (*rotate)(const Number* x, const Number* cosines, const Number* sines, size_t half, size_t size, float sign, Number* out);
    // The nats of a target, whose gradient times `weight` takes the place of the logits. Where a logit is
    // not finite, neither is what comes out.
    float (*nats)(Number* logits, size_t count, size_t target, float weight);
    // Scores to shares: softmax of scale * x from `first` to before `last`, and zeros elsewhere.
    void (*softmax)(Number* x, size_t count, size_t first, size_t last, float scale);
    // sums += x.
    void (*add)(const Number* x, size_t count, float* sums);
};

struct TrainingKernels {
    const char* name;
    RowKernels<float> wide;
    RowKernels<Brain> narrow;
};

// The kernels for this kind of processor, or null if this one cannot run them.
const TrainingKernels* training_kernels_for(const char* name);
// The names of those that run here, the best first.
std::vector<const char*> training_kernels_here();
