// Kernels on single rows: norms, activations, rotation, quantisation. Included once for each kind of
// processor. Widths are multiples of BLOCK, halves of heads multiples of LANES.
#pragma once

#include "kernels.h"
#include "lanes.h"

namespace OPENHEARTH_ISA {

inline void quantise(const float* x, size_t inputs, Quantised out) {
    const size_t end = inputs / BLOCK * GROUP;
    for (size_t b = 0; b < end; b += GROUP) {
        claim(out.numbers + b * BLOCK, BLOCK);
        claim(out.scales + b, sizeof(float)), claim(out.shifts + b, sizeof(int32_t)), claim(out.totals + b, sizeof(float));
    }
    for (size_t b = 0; b < end; b += GROUP, x += BLOCK) {
        const F one = load(x), other = load(x + LANES);
        const float most = largest(max(absolute(one), absolute(other)));
        const float scale = most / 127.0f;
        const F factor = all(most > 0 ? 127.0f / most : 0.0f);
        const F low = nearest(one * factor), high = nearest(other * factor);
        store(out.numbers + b * BLOCK, low);
        store(out.numbers + b * BLOCK + LANES, high);
        const float total = sum(low + high);  // exact, as all are whole
        out.scales[b] = scale;
        out.shifts[b] = total == total ? -8 * static_cast<int32_t>(total) : 0;  // NaN stays in the scale
        out.totals[b] = scale * total;
    }
}

inline void rms_norm(const float* x, const float* weight, size_t width, float eps, float* out) {
    F squares = zero();
    for (size_t i = 0; i < width; i += LANES) squares = fma(load(x + i), load(x + i), squares);
    const F factor = all(1.0f / std::sqrt(sum(squares) / static_cast<float>(width) + eps));
    for (size_t i = 0; i < width; i += LANES) store(out + i, load(x + i) * factor * load(weight + i));
}

inline void layer_norm(const float* x, const float* weight, const float* bias, size_t width, float eps, float* out) {
    F numbers = zero(), squares = zero();
    for (size_t i = 0; i < width; i += LANES) numbers = numbers + load(x + i);
    const F mean = all(sum(numbers) / static_cast<float>(width));
    for (size_t i = 0; i < width; i += LANES) {
        const F apart = load(x + i) - mean;
        squares = fma(apart, apart, squares);
    }
    const F factor = all(1.0f / std::sqrt(sum(squares) / static_cast<float>(width) + eps));
    for (size_t i = 0; i < width; i += LANES) store(out + i, fma((load(x + i) - mean) * factor, load(weight + i), load(bias + i)));
}

inline F sigmoid(F x) { return all(1.0f) / (all(1.0f) + exponential(zero() - x)); }

inline void silu_product(const float* gate, const float* up, size_t count, float* out) {
    for (size_t i = 0; i < count; i += LANES) {
        const F g = load(gate + i);
        store(out + i, g * sigmoid(g) * load(up + i));
    }
}

// x / 2 * (1 + tanh(c * (x + 0.044715 x^3))), and tanh(y) = 2 * sigmoid(2y) - 1.
inline F gelu_by_tanh(F x) {
    const F inner = x * fma(x * x, all(0.044715f), all(1.0f)) * all(2.0f * 0.7978845608f);
    return x * sigmoid(inner);
}

// x * Phi(x), Phi the normal distribution's integral: max(x, 0) - |x| * (1 - Phi(|x|)), the latter within
// 1e-7 (Abramowitz and Stegun 1964, 7.1.26).
inline F gelu_by_erf(F x) {
    const F size = absolute(x), y = size * all(0.7071067812f), t = all(1.0f) / fma(y, all(0.3275911f), all(1.0f));
    F p = all(1.061405429f);
    for (float c : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f}) p = fma(p, t, all(c));
    return max(x, zero()) - size * (all(0.5f) * p * t * exponential(zero() - y * y));
}

inline void gelu_product(const float* gate, const float* up, size_t count, float* out) {
    for (size_t i = 0; i < count; i += LANES) store(out + i, gelu_by_erf(load(gate + i)) * load(up + i));
}

inline void gelu_tanh_product(const float* gate, const float* up, size_t count, float* out) {
    for (size_t i = 0; i < count; i += LANES) store(out + i, gelu_by_tanh(load(gate + i)) * load(up + i));
}

inline void gelu(const float* x, size_t count, float* out) {
    for (size_t i = 0; i < count; i += LANES) store(out + i, gelu_by_erf(load(x + i)));
}

inline void gelu_tanh(const float* x, size_t count, float* out) {
    for (size_t i = 0; i < count; i += LANES) store(out + i, gelu_by_tanh(load(x + i)));
}

inline void relu2(const float* x, size_t count, float* out) {
    for (size_t i = 0; i < count; i += LANES) {
        const F above = max(load(x + i), zero());
        store(out + i, above * above);
    }
}

// tanh(y) = 2 * sigmoid(2y) - 1.
inline void cap(float* x, size_t count, float most) {
    for (size_t i = 0; i < count; i += LANES) {
        const F half = sigmoid(load(x + i) * all(2.0f / most));
        store(x + i, fma(half, all(2.0f * most), all(-most)));
    }
}

inline void softmax(float* x, size_t count) {
    const auto some = [&](size_t i, float rest) { return first(load(x + i), static_cast<int>(count - i), all(rest)); };
    F most = all(x[0]), total = zero();
    for (size_t i = 0; i < count; i += LANES) most = max(some(i, x[0]), most);
    most = all(largest(most));
    for (size_t i = 0; i < count; i += LANES) {
        const F power = exponential(load(x + i) - most);
        total = total + first(power, static_cast<int>(count - i), zero());
        store(x + i, first(power, static_cast<int>(count - i), load(x + i)));
    }
    const F sum_of_all = all(sum(total));
    for (size_t i = 0; i < count; i += LANES) store(x + i, first(load(x + i) / sum_of_all, static_cast<int>(count - i), load(x + i)));
}

template <class Number>
void add(const float* numbers, const Number* weights, size_t count, float* sums) {
    F total = load(sums);
    for (size_t i = 0; i < count; ++i) total = fma(all(numbers[i]), load(weights + i * PANEL), total);
    store(sums, total);
}

inline void put(const float* products, size_t count, float* out, size_t width) {
    for (size_t r = 0; r < count; ++r, products += PANEL, out += width) store(out, load(products));
}

inline void put_sum(const float* products, size_t count, float* out, size_t width) {
    for (size_t r = 0; r < count; ++r, products += PANEL, out += width) store(out, load(out) + load(products));
}

inline void rotate(float* head, const float* cosines, const float* sines, size_t half) {
    for (size_t i = 0; i < half; i += LANES) {
        const F one = load(head + i), other = load(head + half + i), c = load(cosines + i), s = load(sines + i);
        store(head + i, one * c - other * s);
        store(head + half + i, other * c + one * s);
    }
}

}  // namespace OPENHEARTH_ISA
