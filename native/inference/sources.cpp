#include "sources.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "half.h"

namespace {

constexpr size_t SUPER = 8;  // blocks that K-quants keep together

// The nearest whole number, of two the even one, of what is less than 2^22.
float whole(float x) { return x + 0x1.8p23f - 0x1.8p23f; }

template <class T>
T at(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

float half_at(const uint8_t* from) { return wide(at<Half>(from)); }

// Numbers of four bits: the lower halves of sixteen bytes, then their upper halves.
void nibbles(const uint8_t* from, uint8_t* out) {
    for (size_t i = 0; i < 16; ++i) out[i] = from[i] & 15, out[i + 16] = from[i] >> 4;
}

// The scale and the least of a block in six bits each (ggml, get_scale_min_k4).
void six_bits(const uint8_t* packed, size_t j, float& scale, float& least) {
    if (j < 4) {
        scale = packed[j] & 63, least = packed[j + 4] & 63;
    } else {
        scale = static_cast<float>((packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4);
        least = static_cast<float>((packed[j + 4] >> 4) | (packed[j] >> 6) << 4);
    }
}

// Blocks of whole numbers without sign: scale * number + least.
bool unsigned_block(Source source, const uint8_t* row, size_t b, Integers& out) {
    switch (source) {
        case Source::Q4_0:
            row += 18 * b;
            out.scale = half_at(row), out.least = -8 * out.scale;
            nibbles(row + 2, out.numbers);
            return true;
        case Source::Q4_1:
            row += 20 * b;
            out.scale = half_at(row), out.least = half_at(row + 2);
            nibbles(row + 4, out.numbers);
            return true;
        case Source::Q5_0:
        case Source::Q5_1: {
            const bool least = source == Source::Q5_1;
            row += (least ? 24 : 22) * b;
            out.scale = half_at(row), out.least = least ? half_at(row + 2) : -16 * out.scale;
            row += least ? 4 : 2;
            nibbles(row + 4, out.numbers);
            const auto fifth = at<uint32_t>(row);
            for (size_t i = 0; i < BLOCK; ++i) out.numbers[i] |= static_cast<uint8_t>((fifth >> i & 1) << 4);
            return true;
        }
        case Source::Q4_K:
        case Source::Q5_K: {
            const bool fifth = source == Source::Q5_K;
            row += (fifth ? 176 : 144) * (b / SUPER);
            const size_t j = b % SUPER;
            six_bits(row + 4, j, out.scale, out.least);
            out.scale *= half_at(row), out.least *= -half_at(row + 2);
            const uint8_t *high = row + 16, *low = high + (fifth ? 32 : 0) + j / 2 * 32;
            for (size_t i = 0; i < BLOCK; ++i) {
                out.numbers[i] = j % 2 ? low[i] >> 4 : low[i] & 15;
                if (fifth) out.numbers[i] |= static_cast<uint8_t>((high[i] >> j & 1) << 4);
            }
            return true;
        }
        default: return false;
    }
}

void six_k(const uint8_t* row, size_t b, float* out) {
    row += 210 * (b / SUPER);
    const size_t part = b % SUPER / 4, quarter = b % 4;
    const uint8_t *low = row + 64 * part + 32 * (quarter % 2), *high = row + 128 + 32 * part;
    const auto* scales = reinterpret_cast<const int8_t*>(row + 192) + 8 * part + 2 * quarter;
    const float scale = half_at(row + 208);
    for (size_t i = 0; i < BLOCK; ++i) {
        const int four = quarter < 2 ? low[i] & 15 : low[i] >> 4, number = (four | (high[i] >> 2 * quarter & 3) << 4) - 32;
        out[i] = scale * static_cast<float>(scales[i / 16]) * static_cast<float>(number);
    }
}

// By the weight of the largest size, which becomes -8, as ggml does; then the scale that fits these
// numbers best, where large weights count by their squares. Searching scales for the least error gives
// less error and worse models (docs/log.md).
Integers nearest_four(const float* weights) {
    const float peak = *std::max_element(weights, weights + BLOCK, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
    const float inverse = peak != 0 ? -8 / peak : 0;
    Integers out{};
    float product = 0, square = 0;
    for (size_t i = 0; i < BLOCK; ++i) {
        const float weight = weights[i], n = std::min(std::max(whole(weight * inverse), -8.0f), 7.0f);
        product += weight * weight * weight * n, square += weight * weight * n * n;
        out.numbers[i] = static_cast<uint8_t>(n + 8);
    }
    out.scale = square > 0 ? product / square : 0;
    return out;
}

// The sum of squares of what a scale misses.
float missed(const float* weights, float scale) {
    constexpr size_t LANES = 8;
    const float inverse = scale > 0 ? 1 / scale : 0;
    float sums[LANES] = {};
    for (size_t i = 0; i < BLOCK; i += LANES) {
        for (size_t k = 0; k < LANES; ++k) {
            const float apart = weights[i + k] - scale * whole(weights[i + k] * inverse);
            sums[k] += apart * apart;
        }
    }
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

// Of a few scales that have all weights between -127 and 127, the one that misses least.
Integers nearest_eight(const float* weights) {
    float peak = 0, least = INFINITY;
    for (size_t i = 0; i < BLOCK; ++i) peak = std::max(peak, std::fabs(weights[i]));
    Integers out{};
    for (float largest : {127.0f, 126.3f, 125.6f, 124.9f}) {
        const float scale = wide(half(peak / largest)), error = missed(weights, scale);
        if (error < least) least = error, out.scale = scale;
    }
    const float inverse = out.scale > 0 ? 1 / out.scale : 0;
    for (size_t i = 0; i < BLOCK; ++i) {
        out.numbers[i] = static_cast<uint8_t>(std::min(std::max(whole(weights[i] * inverse), -127.0f), 127.0f) + 128);
    }
    return out;
}

}  // namespace

size_t row_bytes(Source source, size_t inputs) {
    const size_t blocks = inputs / BLOCK;
    switch (source) {
        case Source::F32: return 4 * inputs;
        case Source::F16: case Source::BF16: return 2 * inputs;
        case Source::Q4_0: return 18 * blocks;
        case Source::Q4_1: return 20 * blocks;
        case Source::Q5_0: return 22 * blocks;
        case Source::Q5_1: return 24 * blocks;
        case Source::Q8_0: return 34 * blocks;
        case Source::Q4_K: return blocks % SUPER ? 0 : 144 * (blocks / SUPER);
        case Source::Q5_K: return blocks % SUPER ? 0 : 176 * (blocks / SUPER);
        case Source::Q6_K: return blocks % SUPER ? 0 : 210 * (blocks / SUPER);
    }
    return 0;
}

void decode(Source source, const uint8_t* row, size_t b, float* out) {
    Integers block;
    if (unsigned_block(source, row, b, block)) {
        for (size_t i = 0; i < BLOCK; ++i) out[i] = block.scale * static_cast<float>(block.numbers[i]) + block.least;
        return;
    }
    if (source == Source::Q6_K) return six_k(row, b, out);
    for (size_t i = 0; i < BLOCK; ++i) {
        const size_t n = b * BLOCK + i;
        switch (source) {
            case Source::F16: out[i] = half_at(row + 2 * n); break;
            case Source::BF16: out[i] = wide(at<Brain>(row + 2 * n)); break;
            case Source::Q8_0: out[i] = half_at(row + 34 * b) * static_cast<float>(static_cast<int8_t>(row[34 * b + 2 + i])); break;
            default: out[i] = at<float>(row + 4 * n);
        }
    }
}

bool exact(Source source, const uint8_t* row, size_t b, Format format, Integers& out) {
    if (format == Format::INT8 && source == Source::Q8_0) {
        row += 34 * b;
        out.scale = half_at(row);
        for (size_t i = 0; i < BLOCK; ++i) out.numbers[i] = static_cast<uint8_t>(row[2 + i] ^ 0x80);
        return true;
    }
    const bool four = source == Source::Q4_0 || ((source == Source::Q4_1 || source == Source::Q4_K) && format == Format::INT4_MIN);
    return four && (format == Format::INT4 || format == Format::INT4_MIN) && unsigned_block(source, row, b, out);
}

Integers nearest(const float* weights, Format format) {
    if (format == Format::INT4) return nearest_four(weights);
    if (format == Format::INT8) return nearest_eight(weights);
    Integers out{};
    const auto [low, high] = std::minmax_element(weights, weights + BLOCK);
    out.least = wide(half(*low)), out.scale = wide(half((*high - out.least) / 15));
    const float inverse = out.scale > 0 ? 1 / out.scale : 0;
    for (size_t i = 0; i < BLOCK; ++i) {
        out.numbers[i] = static_cast<uint8_t>(std::min(std::max(whole((weights[i] - out.least) * inverse), 0.0f), 15.0f));
    }
    return out;
}
