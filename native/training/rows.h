// The kernels on rows. Included once for each kind of processor.
#pragma once

#include <algorithm>

#include "../inference/lanes.h"
#include "kernels.h"

namespace OPENHEARTH_ISA {

// Up to sixteen numbers, zeros behind them.
template <class Number>
F some(const Number* at, size_t count) {
    if (count >= LANES) return load(at);
    Number few[LANES] = {};
    std::copy(at, at + count, few);
    return load(few);
}

template <class Number>
void put_some(Number* at, size_t count, F x) {
    if (count >= LANES) return store(at, x);
    Number few[LANES];
    store(few, x);
    std::copy(few, few + count, at);
}

template <class Number>
void norm_row(const Number* x, const Number* weight, size_t width, float eps, Number* out, float* inverse) {
    F squares = zero();
    for (size_t i = 0; i < width; i += LANES) {
        const F v = some(x + i, width - i);
        squares = fma(v, v, squares);
    }
    *inverse = 1.0f / std::sqrt(sum(squares) / static_cast<float>(width) + eps);
    for (size_t i = 0; i < width; i += LANES) {
        put_some(out + i, width - i, some(x + i, width - i) * all(*inverse) * some(weight + i, width - i));
    }
}

template <class Number>
void norm_row_back(const Number* outer, const Number* x, const Number* weight, size_t width, float inverse, Number* dx, float* dweight) {
    F along = zero();
    for (size_t i = 0; i < width; i += LANES) {
        const size_t n = width - i;
        const F passed = some(outer + i, n) * some(x + i, n) * all(inverse);
        along = fma(passed, some(weight + i, n), along);
        if (dweight) put_some(dweight + i, n, some(dweight + i, n) + passed);
    }
    if (!dx) return;
    const F mean = all(sum(along) / static_cast<float>(width));
    for (size_t i = 0; i < width; i += LANES) {
        const size_t n = width - i;
        const F normed = some(x + i, n) * all(inverse);
        put_some(dx + i, n, (some(outer + i, n) * some(weight + i, n) - normed * mean) * all(inverse));
    }
}

inline F share(F gate) { return all(1.0f) / (all(1.0f) + exponential(zero() - gate)); }

template <class Number>
void gate_row(const Number* gate, const Number* up, size_t count, Number* out) {
    for (size_t i = 0; i < count; i += LANES) {
        const F g = some(gate + i, count - i);
        put_some(out + i, count - i, g * share(g) * some(up + i, count - i));
    }
}

template <class Number>
void gate_row_back(const Number* outer, const Number* gate, const Number* up, size_t count, Number* dgate, Number* dup) {
    for (size_t i = 0; i < count; i += LANES) {
        const size_t n = count - i;
        const F o = some(outer + i, n), g = some(gate + i, n), s = share(g);
        put_some(dup + i, n, o * g * s);
        put_some(dgate + i, n, o * some(up + i, n) * s * fma(g, all(1.0f) - s, all(1.0f)));
    }
}

template <class Number>
void rotate_row(const Number* x, const Number* cosines, const Number* sines, size_t half, size_t size, float sign, Number* out) {
    for (size_t i = 0; i < half; i += LANES) {
        const size_t n = half - i;
        const F one = some(x + i, n), other = some(x + half + i, n), c = some(cosines + i, n), s = some(sines + i, n) * all(sign);
        put_some(out + i, n, one * c - other * s);
        put_some(out + half + i, n, other * c + one * s);
    }
    std::copy(x + 2 * half, x + size, out + 2 * half);
}

template <class Number>
float nats_row(Number* logits, size_t count, size_t target, float weight) {
    const F least = all(-std::numeric_limits<float>::infinity());
    F most = least, not_finite = zero(), total = zero();
    for (size_t i = 0; i < count; i += LANES) {
        const F x = some(logits + i, count - i);
        not_finite = fma(x, zero(), not_finite);
        most = max(most, first(x, static_cast<int>(std::min(count - i, LANES)), least));
    }
    const float top = largest(most), wrong = sum(not_finite);
    for (size_t i = 0; i < count; i += LANES) {
        const F power = exponential(some(logits + i, count - i) - all(top));
        total = total + first(power, static_cast<int>(std::min(count - i, LANES)), zero());
    }
    const float sum_of_all = sum(total), normal = top + std::log(sum_of_all) + wrong;
    const float nats = normal - sum(some(logits + target, 1));
    const F factor = all(weight / sum_of_all), shift = all(wrong);
    const float own = std::exp(-nats) - 1.0f;
    for (size_t i = 0; i < count; i += LANES) {
        put_some(logits + i, count - i, fma(exponential(some(logits + i, count - i) - all(top)), factor, shift));
    }
    put_some(logits + target, 1, all(own * weight + wrong));
    return nats;
}

template <class Number>
void softmax_row(Number* x, size_t count, size_t from, size_t last, float scale) {
    const F least = all(-std::numeric_limits<float>::infinity()), factor = all(scale);
    const size_t seen = last - from;
    Number* own = x + from;
    const auto scores = [&](size_t i) { return some(own + i, seen - i) * factor; };
    const auto inside = [&](size_t i, F v, F rest) { return first(v, static_cast<int>(std::min(seen - i, LANES)), rest); };
    F most = least, total = zero(), not_finite = zero();
    for (size_t i = 0; i < seen; i += LANES) {
        const F v = scores(i);
        not_finite = fma(v, zero(), not_finite);
        most = max(most, inside(i, v, least));
    }
    const F top = all(largest(most)), wrong = all(sum(not_finite));
    for (size_t i = 0; i < seen; i += LANES) total = total + inside(i, exponential(scores(i) - top), zero());
    const F share = all(1.0f / sum(total));
    for (size_t i = 0; i < seen; i += LANES) put_some(own + i, seen - i, fma(exponential(scores(i) - top), share, wrong));
    std::fill(x, own, Number{});
    std::fill(own + seen, x + count, Number{});
}

template <class Number>
void add_row(const Number* x, size_t count, float* sums) {
    for (size_t i = 0; i < count; i += LANES) put_some(sums + i, count - i, some(sums + i, count - i) + some(x + i, count - i));
}

template <class Number>
constexpr RowKernels<Number> ROWS = {
    norm_row<Number>, norm_row_back<Number>, gate_row<Number>, gate_row_back<Number>, rotate_row<Number>, nats_row<Number>, softmax_row<Number>, add_row<Number>,
};

}  // namespace OPENHEARTH_ISA
