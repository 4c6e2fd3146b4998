// The kernels of recurrent states. Included once for each kind of processor. Values and channels are a
// multiple of LANES. Tokens are taken one after the other, so that a text cut anywhere comes to the same.
#pragma once

#include "kernels.h"
#include "vectors.h"

namespace OPENHEARTH_ISA {

// ln(1 + e^x): 2 atanh(t / (2 + t)) for t = e^-|x|, within 1e-7, and what is above nothing.
inline F softplus(F x) {
    const F t = exponential(zero() - absolute(x)), z = t / (all(2.0f) + t), square = z * z;
    F p = all(1.0f / 15);
    for (float c : {1.0f / 13, 1.0f / 11, 1.0f / 9, 1.0f / 7, 1.0f / 5, 1.0f / 3, 1.0f}) p = fma(p, square, all(c));
    return max(x, zero()) + all(2.0f) * z * p;
}

inline void rates(const float* x, const Rates& rates, float* steps, float* decays) {
    for (size_t i = 0; i < rates.count; i += LANES) {
        const F step = max(min(softplus(load(x + i) + load(rates.bias + i)), all(rates.most)), all(rates.least));
        store(steps + i, step);
        if (decays) store(decays + i, exponential(load(rates.logs + i) * step));
    }
}

inline void sigmoid(float* x, size_t count, float factor) {
    for (size_t i = 0; i < count; i += LANES) store(x + i, all(factor) * sigmoid(load(x + i)));
}

// N times LANES values of a memory, all rows.
template <size_t N>
void recall_some(const Recall& work, size_t first) {
    float* const memory = work.memory + first;
    for (size_t row = 0; row < work.rows; ++row) {
        const float *key = work.key + row * work.stride, *query = work.query + row * work.stride;
        const float* value = work.value + row * work.stride + first;
        const F decay = all(work.decay[row * work.decay_stride]), share = all(work.share[row * work.share_stride]);
        F taken[N], out[N];
        if (work.corrects) {
            for (size_t n = 0; n < N; ++n) taken[n] = zero();
            for (size_t k = 0; k < work.keys; ++k) {
                const F of_key = all(key[k]);
                for (size_t n = 0; n < N; ++n) taken[n] = fma(of_key, load(memory + k * work.values + n * LANES), taken[n]);
            }
            for (size_t n = 0; n < N; ++n) taken[n] = share * (load(value + n * LANES) - decay * taken[n]);
        } else {
            for (size_t n = 0; n < N; ++n) taken[n] = share * load(value + n * LANES);
        }
        for (size_t n = 0; n < N; ++n) out[n] = all(work.skip) * load(value + n * LANES);
        for (size_t k = 0; k < work.keys; ++k) {
            const F of_key = all(key[k]), asked = all(query[k]);
            for (size_t n = 0; n < N; ++n) {
                float* at = memory + k * work.values + n * LANES;
                const F now = fma(of_key, taken[n], decay * load(at));
                store(at, now);
                out[n] = fma(asked, now, out[n]);
            }
        }
        for (size_t n = 0; n < N; ++n) store(work.out + row * work.out_stride + first + n * LANES, out[n]);
    }
}

inline void recall(const Recall& work) {
    size_t first = 0;
    for (; first + 4 * LANES <= work.values; first += 4 * LANES) recall_some<4>(work, first);
    for (; first < work.values; first += LANES) recall_some<1>(work, first);
}

// LANES channels of a selective state space, all rows.
inline void select(const Select& work, size_t channel) {
    float* const state = work.state + channel;
    const F skip = load(work.skip + channel);
    for (size_t row = 0; row < work.rows; ++row) {
        const F x = load(work.x + row * work.stride + channel), step = load(work.step + row * work.step_stride + channel);
        const float *write = work.write + row * work.choice_stride, *read = work.read + row * work.choice_stride;
        const F taken = step * x;
        F out = skip * x;
        for (size_t n = 0; n < work.numbers; ++n) {
            float* at = state + n * work.channels;
            const F decay = exponential(step * load(work.logs + n * work.channels + channel));
            const F now = fma(all(write[n]), taken, decay * load(at));
            store(at, now);
            out = fma(all(read[n]), now, out);
        }
        store(work.out + row * work.out_stride + channel, out);
    }
}

// LANES channels of a filter that is a sum of modes, all rows.
inline void modal(const Modal& work, size_t channel) {
    const F direct = load(work.direct + channel);
    for (size_t row = 0; row < work.rows; ++row) {
        const size_t at = row * work.stride + channel;
        const F x = load(work.one + at) * load(work.other + at);
        F out = direct * x;
        for (size_t n = 0; n < work.modes; ++n) {
            const size_t real = 2 * n * work.channels + channel, imaginary = real + work.channels;
            const F pole = load(work.poles + real), turn = load(work.poles + imaginary);
            const F was = load(work.state + real), beside = load(work.state + imaginary);
            const F now = fma(pole, was, x - turn * beside), then = fma(pole, beside, turn * was);
            store(work.state + real, now);
            store(work.state + imaginary, then);
            out = fma(load(work.residues + real), now, out - load(work.residues + imaginary) * then);
        }
        store(work.out + row * work.out_stride + channel, load(work.gate + at) * out);
    }
}

}  // namespace OPENHEARTH_ISA
