// The kernels of the engine, in one table for each kind of processor.
//
// A matrix is packed in panels of PANEL outputs. Quantised ones go by blocks of BLOCK inputs, each
// with its panel's scales (and least values) before its weights; an activation is quantised to eight
// bits by the same blocks. Within a block the products of whole numbers are summed exactly; blocks are
// then summed in their order. So a row's result is the same whatever other rows there are, and on
// every processor.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "half.h"

constexpr size_t PANEL = 16;  // outputs
constexpr size_t BLOCK = 32;  // inputs
constexpr size_t GROUP = 8;   // rows whose blocks lie together
constexpr size_t PAGE = 32;   // tokens of keys and values that lie together

// How the weights of a matrix are kept.
enum class Format : uint8_t {
    INT4,     // scale * (n - 8), n of four bits
    INT4_MIN, // scale * n + least
    INT8,     // scale * n, n from -127 to 127, kept with 128 added
    BF16,
    FP32,
};

// Whether rows are quantised too before they are multiplied.
constexpr bool is_quantised(Format format) { return format != Format::BF16 && format != Format::FP32; }

// Asks for memory that will be written. What another core wrote last comes only one line after the other
// if the processor hears of it by the writing itself.
inline void claim(void* at, size_t bytes) {
    for (size_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch(static_cast<char*>(at) + byte, 1);
}

// Bytes of one panel's block, of its scales, and of what its weights take.
constexpr size_t block_bytes(Format format) {
    constexpr size_t scales = PANEL * sizeof(Half), numbers = PANEL * BLOCK;
    switch (format) {
        case Format::INT4: return scales + numbers / 2;
        case Format::INT4_MIN: return 2 * scales + numbers / 2;
        case Format::INT8: return scales + numbers;
        case Format::BF16: return 2 * numbers;
        case Format::FP32: return 4 * numbers;
    }
    return 0;
}

// Rows of activations: as they are, and quantised: scale * number, with the sum of a block's numbers,
// times -8, which is what weights of four bits are shifted by, and of what they stand for. As rows are
// multiplied together, the same block of GROUP rows lies together.
struct Rows {
    const float* values;     // [rows][inputs]
    const int8_t* numbers;   // [rows / GROUP][blocks][GROUP][BLOCK]
    const float* scales;     // [rows / GROUP][blocks][GROUP]
    const int32_t* shifts;   // the same, -8 * sum
    const float* totals;     // the same, scale * sum
    size_t inputs;
    size_t blocks() const { return inputs / BLOCK; }
};

// Where a row's first block is; its next is GROUP blocks behind.
constexpr size_t first_block(size_t row, size_t inputs) { return row / GROUP * GROUP * (inputs / BLOCK) + row % GROUP; }

struct Quantised {
    int8_t* numbers;
    float* scales;
    int32_t* shifts;
    float* totals;
};

// How keys and values are kept. In whole numbers each token's of a head have a scale, and go by pairs, as
// the processor multiplies them: keys of two numbers, values of two tokens.
enum class Kept : uint8_t { FP32, INT16, INT8 };

// A head's numbers with the zeros that fill up each of its halves, which rotation turns apart, to whole
// registers.
constexpr size_t room(size_t size) { return (size + BLOCK - 1) / BLOCK * BLOCK; }

// What a page takes of one head: its keys, [room][PAGE] or [room / 2][PAGE][2], and behind them scales, if
// there are any; and as much again for its values, [PAGE][room] or [PAGE / 2][room][2].
constexpr size_t numbers_bytes(Kept kept, size_t size) { return room(size) * PAGE * (kept == Kept::FP32 ? 4 : kept == Kept::INT16 ? 2 : 1); }
constexpr size_t keys_bytes(Kept kept, size_t size) { return numbers_bytes(kept, size) + (kept == Kept::FP32 ? 0 : PAGE * sizeof(float)); }

// Queries that share keys: `queries[i]` points to a head's numbers of one row, room(size) of them, which
// sees the tokens from `lasts[i] - window + 1` to `lasts[i]`.
struct Attention {
    size_t count;                  // of queries, at most MOST_QUERIES
    const float* const* queries;
    float* const* outputs;         // `size` numbers each
    const int32_t* lasts;
    const int32_t* pages;          // the sequence's page numbers
    const uint8_t* memory;         // page 0 of this layer and head
    size_t page_bytes;             // from one page to the next
    size_t size;                   // of a head
    float scale;
    int32_t window;                // tokens; INT32_MAX for all
};

// Rows of one sequence on which each channel has a filter of its own, over the row and those before it:
// silu(bias + sum of weight[i] * (before * x)) * after. Without its gates, bias and silu if there are none.
struct Convolution {
    size_t rows, channels, taps;       // taps at most MOST_TAPS
    const float *x, *before, *after;   // of the first row, `stride` from each to the next
    size_t stride;
    const float *weight, *bias;        // [taps][channels], the oldest first, and [channels]
    bool silu;
    bool begins;                       // there is no row before
    float* tail;                       // [taps - 1][channels]: the last inputs, read and replaced
    float* out;
    size_t out_stride;
};

// How large the steps of a recurrence are, softplus(x + bias) between two bounds, and how it decays by
// them, exp(log * step).
struct Rates {
    size_t count;
    const float *bias, *logs;  // [count]; `logs` only where decays are asked for
    float least, most;
};

// Rows of one sequence and a memory [keys][values], which fades, takes in a value under a key, and is asked:
// M = decay M + key u, where u is the share of the value, or with `corrects` of how the value differs from
// what M, faded, says of the key; out = M^T query + skip * value.
struct Recall {
    size_t rows, keys, values;
    const float *key, *query, *value;  // of the first row, `stride` from each to the next
    size_t stride;
    const float* decay;
    size_t decay_stride;
    const float* share;
    size_t share_stride;
    bool corrects;
    float skip;
    float* memory;
    float* out;
    size_t out_stride;
};

// Rows of one sequence and a state of `numbers` numbers for each of its channels, [numbers][channels]:
// h = exp(step * log) h + step * x * write, out = the sum of read * h over the numbers + skip * x.
struct Select {
    size_t rows, channels, numbers;
    const float* x;  // of the first row, `stride` from each to the next
    size_t stride;
    const float* step;
    size_t step_stride;
    const float *write, *read;  // [numbers]
    size_t choice_stride;
    const float* logs;  // [numbers][channels]
    const float* skip;  // [channels]
    float* state;
    float* out;
    size_t out_stride;
};

// Rows of one sequence and a state of complex modes for each of its channels, [modes][2][channels], real
// parts first: s = pole * s + x, out = gate * (the sum of the real parts of residue * s + direct * x), where
// x is the product of two columns.
struct Modal {
    size_t rows, channels, modes;
    const float *gate, *one, *other;  // of the first row, `stride` from each to the next
    size_t stride;
    const float *poles, *residues;  // [modes][2][channels]
    const float* direct;            // [channels]
    float* state;
    float* out;
    size_t out_stride;
};

// What makes the terms of RWKV-7 of a head's numbers, `count` of each kind.
struct Terms {
    size_t count;
    const float *decay_bias, *rate_bias, *taken_scale, *key_rate;
};

// Rows of one sequence and a memory [keys][values], which fades key by key, forgets what it says of what is
// taken out, takes in a value under a key, and is asked:
// M = diag(decay) M - put (taken^T M) + key value^T, out = M^T asked.
struct Replacement {
    size_t rows, keys, values;
    const float *asked, *decay, *key, *value, *put, *taken;  // of the first row, `stride` from each to the next
    size_t stride;
    float* memory;
    float* out;
    size_t out_stride;
};

constexpr size_t MOST_TAPS = 64;
constexpr size_t MOST_QUERIES = 32;
constexpr size_t MOST_ROWS = 16;  // of a call of `multiply`

// The largest whole number of which `count` products sum up within 32 bits.
inline float largest_factor(size_t count) { return static_cast<float>(std::ceil(std::sqrt(0x1p31 / static_cast<double>(count))) - 1); }

struct Kernels {
    const char* name;

    // Of `count` rows from `row` on, the first of a group or all of one, the products with one panel, fp32
    // [count][PANEL].
    void (*multiply)(Format, const uint8_t* panel, const Rows&, size_t row, size_t count, float* out);
    // One row by blocks of BLOCK, which go to every GROUP-th place.
    void (*quantise)(const float* x, size_t inputs, Quantised);
    // out = x / rms(x) * weight.
    void (*rms_norm)(const float* x, const float* weight, size_t width, float eps, float* out);
    // out = (x - mean) / deviation * weight + bias.
    void (*layer_norm)(const float* x, const float* weight, const float* bias, size_t width, float eps, float* out);
    // out = silu(gate) * up, or by gelu, or by its tanh form.
    void (*silu_product)(const float* gate, const float* up, size_t count, float* out);
    void (*gelu_product)(const float* gate, const float* up, size_t count, float* out);
    void (*gelu_tanh_product)(const float* gate, const float* up, size_t count, float* out);
    // Gelu, its tanh form, and what is above nothing, squared.
    void (*gelu)(const float* x, size_t count, float* out);
    void (*gelu_tanh)(const float* x, size_t count, float* out);
    void (*relu2)(const float* x, size_t count, float* out);
    // x = most * tanh(x / most).
    void (*cap)(float* x, size_t count, float most);
    // x = e^x over the sum of them all; what fills up the last lanes stays.
    void (*softmax)(float* x, size_t count);
    // Adds `count` rows of PANEL weights, each times its number, to PANEL sums.
    void (*add_fp16)(const float* numbers, const Half* weights, size_t count, float* sums);
    void (*add_fp32)(const float* numbers, const float* weights, size_t count, float* sums);
    // `count` rows of PANEL products to their places, `width` floats apart, or to what is there.
    void (*put)(const float* products, size_t count, float* out, size_t width);
    void (*put_sum)(const float* products, size_t count, float* out, size_t width);
    // To scale * number, whole numbers up to `most`, which are fewer than 2^15, or 127; the scale.
    float (*narrow_int16)(const float* x, size_t count, float most, int16_t* out);
    float (*narrow_int8)(const float* x, size_t count, float most, int8_t* out);
    // Rotates the two halves of a head by angles.
    void (*rotate)(float* head, const float* cosines, const float* sines, size_t half);
    void (*attend)(Kept, const Attention&);
    // The channels from `first` to before `end`.
    void (*convolve)(const Convolution&, size_t first, size_t end);
    void (*rates)(const float* x, const Rates&, float* steps, float* decays);
    // x = factor / (1 + e^-x).
    void (*sigmoid)(float* x, size_t count, float factor);
    void (*recall)(const Recall&);
    // PANEL channels from `channel` on.
    void (*select)(const Select&, size_t channel);
    void (*modal)(const Modal&, size_t channel);
    // A decay's logarithm, by a sigmoid, to the decay; a rate to what is put in the place of what is taken,
    // which is the key, scaled, of length one; and the key to what is written.
    void (*terms)(const Terms&, float* decay, float* key, float* rate, float* taken);
    void (*replace)(const Replacement&);
    // y = (y + (asked . (key * bonus)) * value) * gate.
    void (*bonus)(const float* asked, const float* key, const float* bonus, const float* value, const float* gate, size_t count, float* y);
};

// Those for this processor, or for a named kind: portable, avx2, avx512. Null if it cannot run them.
const Kernels* kernels_for(const char* name);
// What this processor can run, best first, as a null-ended list.
const char* const* kernels_here();
