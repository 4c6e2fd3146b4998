// The kernels of RWKV-7's time mixing. Included once for each kind of processor. A head's numbers are a
// multiple of LANES. Tokens are taken one after the other, so that a text cut anywhere comes to the same.
#pragma once

#include "kernels.h"
#include "vectors.h"

namespace OPENHEARTH_ISA {

inline void terms(const Terms& terms, float* decay, float* key, float* rate, float* taken) {
    constexpr float LEAST = -0.6065306597f;  // of the logarithm of a decay: -exp(-1/2)
    F squares = zero();
    for (size_t i = 0; i < terms.count; i += LANES) {
        const F part = load(key + i) * load(terms.taken_scale + i);
        squares = fma(part, part, squares);
    }
    const F shorter = all(1.0f / std::max(std::sqrt(sum(squares)), 1e-12f)), one = all(1.0f);
    for (size_t i = 0; i < terms.count; i += LANES) {
        const F k = load(key + i), r = sigmoid(load(rate + i) + load(terms.rate_bias + i));
        const F unit = k * load(terms.taken_scale + i) * shorter;
        store(taken + i, unit);
        store(rate + i, unit * r);
        store(key + i, k * fma(r - one, load(terms.key_rate + i), one));
        store(decay + i, exponential(all(LEAST) * sigmoid(load(decay + i) + load(terms.decay_bias + i))));
    }
}

// N times LANES values of a memory, all rows.
template <size_t N>
void replace_some(const Replacement& work, size_t first) {
    float* const memory = work.memory + first;
    for (size_t row = 0; row < work.rows; ++row) {
        const size_t at = row * work.stride;
        F said[N], value[N], out[N];
        for (size_t n = 0; n < N; ++n) said[n] = out[n] = zero(), value[n] = load(work.value + at + first + n * LANES);
        for (size_t k = 0; k < work.keys; ++k) {
            const F taken = all(-work.taken[at + k]);
            for (size_t n = 0; n < N; ++n) said[n] = fma(taken, load(memory + k * work.values + n * LANES), said[n]);
        }
        for (size_t k = 0; k < work.keys; ++k) {
            const F decay = all(work.decay[at + k]), put = all(work.put[at + k]), key = all(work.key[at + k]), asked = all(work.asked[at + k]);
            for (size_t n = 0; n < N; ++n) {
                float* place = memory + k * work.values + n * LANES;
                const F now = fma(key, value[n], fma(put, said[n], decay * load(place)));
                store(place, now);
                out[n] = fma(asked, now, out[n]);
            }
        }
        for (size_t n = 0; n < N; ++n) store(work.out + row * work.out_stride + first + n * LANES, out[n]);
    }
}

inline void replace(const Replacement& work) {
    size_t first = 0;
    for (; first + 4 * LANES <= work.values; first += 4 * LANES) replace_some<4>(work, first);
    for (; first < work.values; first += LANES) replace_some<1>(work, first);
}

inline void bonus(const float* asked, const float* key, const float* bonus, const float* value, const float* gate, size_t count, float* y) {
    F known = zero();
    for (size_t i = 0; i < count; i += LANES) known = fma(load(asked + i) * load(key + i), load(bonus + i), known);
    const F share = all(sum(known));
    for (size_t i = 0; i < count; i += LANES) store(y + i, fma(share, load(value + i), load(y + i)) * load(gate + i));
}

}  // namespace OPENHEARTH_ISA
