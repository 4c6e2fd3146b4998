// Kernels on single rows: norms, activations, rotation, quantisation. Included once for each kind of
// processor. Widths are multiples of BLOCK, halves of heads multiples of LANES.
#pragma once

#include "kernels.h"
#include "lanes.h"

namespace OPENHEARTH_ISA {

inline void quantise(const float* x, size_t inputs, Quantised out) {
    for (size_t b = 0; b < inputs / BLOCK; ++b, x += BLOCK) {
        const F one = load(x), other = load(x + LANES);
        const float most = largest(max(absolute(one), absolute(other)));
        const float scale = most / 127.0f;
        const F factor = all(most > 0 ? 127.0f / most : 0.0f);
        int8_t* numbers = out.numbers + b * BLOCK;
        store(numbers, one * factor);
        store(numbers + LANES, other * factor);
        int32_t sum = 0;
        for (size_t i = 0; i < BLOCK; ++i) sum += numbers[i];
        out.scales[b] = scale;
        out.shifts[b] = -8 * sum;
        out.totals[b] = scale * static_cast<float>(sum);
    }
}

inline void rms_norm(const float* x, const float* weight, size_t width, float eps, float* out) {
    F squares = zero();
    for (size_t i = 0; i < width; i += LANES) squares = fma(load(x + i), load(x + i), squares);
    const F factor = all(1.0f / std::sqrt(sum(squares) / static_cast<float>(width) + eps));
    for (size_t i = 0; i < width; i += LANES) store(out + i, load(x + i) * factor * load(weight + i));
}

inline F sigmoid(F x) { return all(1.0f) / (all(1.0f) + exponential(zero() - x)); }

inline void silu_product(const float* gate, const float* up, size_t count, float* out) {
    for (size_t i = 0; i < count; i += LANES) {
        const F g = load(gate + i);
        store(out + i, g * sigmoid(g) * load(up + i));
    }
}

// gelu(x) = x / 2 * (1 + tanh(c * (x + 0.044715 x^3))), and tanh(y) = 2 * sigmoid(2y) - 1.
inline void gelu_product(const float* gate, const float* up, size_t count, float* out) {
    for (size_t i = 0; i < count; i += LANES) {
        const F g = load(gate + i);
        const F inner = g * fma(g * g, all(0.044715f), all(1.0f)) * all(2.0f * 0.7978845608f);
        store(out + i, g * sigmoid(inner) * load(up + i));
    }
}

template <class Number>
void add(const float* numbers, const Number* weights, size_t count, float* sums) {
    F total = load(sums);
    for (size_t i = 0; i < count; ++i) total = fma(all(numbers[i]), load(weights + i * PANEL), total);
    store(sums, total);
}

inline void narrow(const float* x, size_t count, Half* out) {
    for (size_t i = 0; i < count; i += LANES) store(out + i, load(x + i));
}

inline void rotate(float* head, const float* cosines, const float* sines, size_t half) {
    for (size_t i = 0; i < half; i += LANES) {
        const F one = load(head + i), other = load(head + half + i), c = load(cosines + i), s = load(sines + i);
        store(head + i, one * c - other * s);
        store(head + half + i, other * c + one * s);
    }
}

}  // namespace OPENHEARTH_ISA
