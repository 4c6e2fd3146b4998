// The kernel of a causal convolution: each channel with a short filter of its own. Included once for
// each kind of processor. Channels are a multiple of LANES.
#pragma once

#include "kernels.h"
#include "lanes.h"
#include "vectors.h"

namespace OPENHEARTH_ISA {

// LANES channels of all rows. TAPS is the filter's length, or 0 if that is not known before.
template <size_t TAPS>
void convolve_lanes(const Convolution& work, size_t channel) {
    const size_t taps = TAPS ? TAPS : work.taps, past = taps - 1;
    F inputs[TAPS ? TAPS : MOST_TAPS], weights[TAPS ? TAPS : MOST_TAPS];
    float* tail = work.tail + channel;
    for (size_t i = 0; i < taps; ++i) weights[i] = load(work.weight + i * work.channels + channel);
    for (size_t i = 0; i < past; ++i) inputs[i] = work.begins ? zero() : load(tail + i * work.channels);
    const F bias = work.bias ? load(work.bias + channel) : zero();
    for (size_t row = 0; row < work.rows; ++row) {
        const size_t at = row * work.stride + channel;
        inputs[past] = work.before ? load(work.before + at) * load(work.x + at) : load(work.x + at);
        F y = bias;
        for (size_t i = 0; i < taps; ++i) y = fma(weights[i], inputs[i], y);
        if (work.silu) y = y * sigmoid(y);
        if (work.after) y = load(work.after + at) * y;
        store(work.out + row * work.out_stride + channel, y);
        for (size_t i = 0; i < past; ++i) inputs[i] = inputs[i + 1];
    }
    for (size_t i = 0; i < past; ++i) store(tail + i * work.channels, inputs[i]);
}

inline void convolve(const Convolution& work, size_t first, size_t end) {
    for (size_t channel = first; channel < end; channel += LANES) {
        switch (work.taps) {
            case 3: convolve_lanes<3>(work, channel); break;
            case 4: convolve_lanes<4>(work, channel); break;
            default: convolve_lanes<0>(work, channel);
        }
    }
}

}  // namespace OPENHEARTH_ISA
