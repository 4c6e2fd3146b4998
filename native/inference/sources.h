// Weights as files have them, block by block.
#pragma once

#include <cstdint>

#include "kernels.h"

// The numbers are those of ggml's types.
enum class Source : uint32_t {
    F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q4_K = 12, Q5_K = 13, Q6_K = 14, BF16 = 30,
};

// Bytes that a row of so many weights takes; 0 if there is no such source.
size_t row_bytes(Source source, size_t inputs);

// A block as whole numbers, as `Format` has them.
struct Integers {
    uint8_t numbers[BLOCK];
    float scale, least;
};

// The weights of block `b` of a row.
void decode(Source source, const uint8_t* row, size_t b, float* out);
// The same as numbers of four or eight bits where the source has such; false where not.
bool exact(Source source, const uint8_t* row, size_t b, Format format, Integers& out);
// Numbers that come near to these weights.
Integers nearest(const float* weights, Format format);
