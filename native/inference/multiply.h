// Products of rows with one packed panel, for each format. Included once for each kind of processor.
#pragma once

#include "kernels.h"
#include "lanes.h"

namespace OPENHEARTH_ISA {

// Four numbers as one.
inline int32_t four(const int8_t* numbers) {
    int32_t value;
    std::memcpy(&value, numbers, sizeof value);
    return value;
}

#if defined(OPENHEARTH_AVX512)

// The weights that will be read some dozen blocks later. The processor fetches ahead by itself, but ends
// at every page, and at the end of every panel begins anew.
constexpr size_t AHEAD = 4096;  // bytes
inline void fetch_ahead(const uint8_t* at, size_t bytes) {
    for (size_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch(at + AHEAD + byte);
}

constexpr size_t TILE = GROUP;  // rows computed together: as many as their sums find registers

inline __m512i broadcast(const int8_t* numbers) { return _mm512_set1_epi32(four(numbers)); }

// A register of weights has, for each of the sixteen outputs, four inputs that follow each other.
template <size_t R, Format FORMAT>
void integers(const uint8_t* at, const Rows& rows, size_t row, float* out) {
    constexpr bool LEAST = FORMAT == Format::INT4_MIN, BYTES = FORMAT == Format::INT8;
    const size_t blocks = rows.blocks();
    size_t beside = first_block(row, rows.inputs);
    const int8_t* numbers = rows.numbers + beside * BLOCK;
    F total[R];
    for (size_t r = 0; r < R; ++r) total[r] = zero();
    const __m512i low = _mm512_set1_epi8(15);
    for (size_t b = 0; b < blocks; ++b, at += block_bytes(FORMAT), numbers += GROUP * BLOCK, beside += GROUP) {
        fetch_ahead(at, block_bytes(FORMAT));
        const F scale = load(reinterpret_cast<const Half*>(at));
        const uint8_t* weights = at + PANEL * sizeof(Half) * (1 + LEAST);
        __m512i sum[R];
        for (size_t r = 0; r < R; ++r) {
            sum[r] = LEAST ? _mm512_setzero_si512() : _mm512_set1_epi32(rows.shifts[beside + r]);
            if constexpr (BYTES) sum[r] = _mm512_slli_epi32(sum[r], 4);  // 128 times
        }
        for (size_t g = 0; g < (BYTES ? 8 : 4); ++g) {
            const __m512i some = _mm512_loadu_si512(weights + 64 * g);
            const __m512i one = BYTES ? some : _mm512_and_si512(some, low);
            for (size_t r = 0; r < R; ++r) sum[r] = _mm512_dpbusd_epi32(sum[r], one, broadcast(numbers + r * BLOCK + 4 * g));
            if constexpr (!BYTES) {
                const __m512i other = _mm512_and_si512(_mm512_srli_epi16(some, 4), low);
                for (size_t r = 0; r < R; ++r) {
                    sum[r] = _mm512_dpbusd_epi32(sum[r], other, broadcast(numbers + r * BLOCK + 16 + 4 * g));
                }
            }
        }
        for (size_t r = 0; r < R; ++r) {
            total[r] = fma(F{_mm512_cvtepi32_ps(sum[r])}, scale * all(rows.scales[beside + r]), total[r]);
            if constexpr (LEAST) {
                const F least = load(reinterpret_cast<const Half*>(at) + PANEL);
                total[r] = fma(least, all(rows.totals[beside + r]), total[r]);
            }
        }
    }
    for (size_t r = 0; r < R; ++r) store(out + r * PANEL, total[r]);
}

#elif defined(OPENHEARTH_AVX2)

constexpr size_t TILE = 4;

// Or the compiler takes all products of a block first, and puts most of them on the stack.
[[gnu::always_inline]] inline void keep(__m256i& sum) { asm("" : "+x"(sum)); }

inline __m256i broadcast(const int8_t* numbers) { return _mm256_set1_epi32(four(numbers)); }

// Eight of the outputs: of the register of AVX-512 the lower or the upper half.
template <size_t R, Format FORMAT>
void eight(const uint8_t* at, size_t half, const Rows& rows, size_t row, float* out) {
    constexpr bool LEAST = FORMAT == Format::INT4_MIN, BYTES = FORMAT == Format::INT8;
    const size_t blocks = rows.blocks();
    size_t beside = first_block(row, rows.inputs);
    const int8_t* numbers = rows.numbers + beside * BLOCK;
    __m256 total[R];
    for (size_t r = 0; r < R; ++r) total[r] = _mm256_setzero_ps();
    const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    const auto halves_at = [&](const uint8_t* from) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from) + half)); };
    for (size_t b = 0; b < blocks; ++b, at += block_bytes(FORMAT), numbers += GROUP * BLOCK, beside += GROUP) {
        const __m256 scale = halves_at(at);
        const uint8_t* weights = at + PANEL * sizeof(Half) * (1 + LEAST) + 32 * half;
        const auto some_at = [&](size_t g) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + 64 * g)); };
        __m256i sum[R];
        if constexpr (BYTES) {
            // Two products of a byte without sign with one of 127 fit sixteen bits, if the sign is moved.
            for (size_t r = 0; r < R; ++r) sum[r] = _mm256_setzero_si256();
            for (size_t g = 0; g < 8; ++g) {
                const __m256i weight = _mm256_xor_si256(some_at(g), _mm256_set1_epi8(-128)), size = _mm256_abs_epi8(weight);
                for (size_t r = 0; r < R; ++r) {
                    const __m256i signed_row = _mm256_sign_epi8(broadcast(numbers + r * BLOCK + 4 * g), weight);
                    sum[r] = _mm256_add_epi32(sum[r], _mm256_madd_epi16(_mm256_maddubs_epi16(size, signed_row), ones));
                    keep(sum[r]);
                }
            }
        } else {
            // Sums of sixteen products each, at most 16 * 15 * 127 = 30480, fit sixteen bits.
            for (size_t r = 0; r < R; ++r) sum[r] = _mm256_setzero_si256();
            for (size_t g = 0; g < 4; ++g) {
                const __m256i some = some_at(g), one = _mm256_and_si256(some, low);
                const __m256i other = _mm256_and_si256(_mm256_srli_epi16(some, 4), low);
                for (size_t r = 0; r < R; ++r) {
                    const int8_t* from = numbers + r * BLOCK + 4 * g;
                    sum[r] = _mm256_add_epi16(sum[r], _mm256_maddubs_epi16(one, broadcast(from)));
                    sum[r] = _mm256_add_epi16(sum[r], _mm256_maddubs_epi16(other, broadcast(from + 16)));
                    keep(sum[r]);
                }
            }
            for (size_t r = 0; r < R; ++r) {
                sum[r] = _mm256_madd_epi16(sum[r], ones);
                if constexpr (!LEAST) sum[r] = _mm256_add_epi32(sum[r], _mm256_set1_epi32(rows.shifts[beside + r]));
            }
        }
        for (size_t r = 0; r < R; ++r) {
            const __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(rows.scales[beside + r]));
            total[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[r]), both, total[r]);
            if constexpr (LEAST) {
                const __m256 least = halves_at(at + PANEL * sizeof(Half));
                total[r] = _mm256_fmadd_ps(least, _mm256_set1_ps(rows.totals[beside + r]), total[r]);
            }
        }
    }
    for (size_t r = 0; r < R; ++r) _mm256_storeu_ps(out + r * PANEL + 8 * half, total[r]);
}

template <size_t R, Format FORMAT>
void integers(const uint8_t* at, const Rows& rows, size_t row, float* out) {
    eight<R, FORMAT>(at, 0, rows, row, out);
    eight<R, FORMAT>(at, 1, rows, row, out);
}

#else

constexpr size_t TILE = 1;

template <size_t R, Format FORMAT>
void integers(const uint8_t* at, const Rows& rows, size_t row, float* out) {
    constexpr bool LEAST = FORMAT == Format::INT4_MIN, BYTES = FORMAT == Format::INT8;
    const size_t blocks = rows.blocks();
    F total = zero();
    for (size_t b = 0; b < blocks; ++b, at += block_bytes(FORMAT)) {
        const F scale = load(reinterpret_cast<const Half*>(at));
        const uint8_t* weights = at + PANEL * sizeof(Half) * (1 + LEAST);
        const size_t beside = first_block(row, rows.inputs) + b * GROUP;
        const int8_t* numbers = rows.numbers + beside * BLOCK;
        F sums = each([&](size_t o) {
            int32_t sum = LEAST ? 0 : (BYTES ? 16 : 1) * rows.shifts[beside];
            for (size_t i = 0; i < BLOCK; ++i) {
                const uint8_t byte = weights[64 * (i / 4 % (BYTES ? 8 : 4)) + 4 * o + i % 4];
                sum += (BYTES ? byte : i < 16 ? byte & 15 : byte >> 4) * numbers[i];
            }
            return static_cast<float>(sum);
        });
        total = fma(sums, scale * all(rows.scales[beside]), total);
        if constexpr (LEAST) total = fma(load(reinterpret_cast<const Half*>(at) + PANEL), all(rows.totals[beside]), total);
    }
    store(out, total);
}

#endif

// Weights that are not quantised, [inputs][PANEL], by rows that are not either.
template <size_t R, class Number>
void numbers(const uint8_t* at, const Rows& rows, size_t row, float* out) {
    const Number* weights = reinterpret_cast<const Number*>(at);
    const float* values = rows.values + row * rows.inputs;
    F total[R];
    for (size_t r = 0; r < R; ++r) total[r] = zero();
    for (size_t i = 0; i < rows.inputs; ++i, weights += PANEL) {
        const F weight = load(weights);
        for (size_t r = 0; r < R; ++r) total[r] = fma(weight, all(values[r * rows.inputs + i]), total[r]);
    }
    for (size_t r = 0; r < R; ++r) store(out + r * PANEL, total[r]);
}

template <size_t R>
void tile(Format format, const uint8_t* panel, const Rows& rows, size_t row, float* out) {
    switch (format) {
        case Format::INT4: return integers<R, Format::INT4>(panel, rows, row, out);
        case Format::INT4_MIN: return integers<R, Format::INT4_MIN>(panel, rows, row, out);
        case Format::INT8: return integers<R, Format::INT8>(panel, rows, row, out);
        case Format::BF16: return numbers<R, Brain>(panel, rows, row, out);
        case Format::FP32: return numbers<R, float>(panel, rows, row, out);
    }
}

// The rest of a tile: `count` rows, fewer than R.
template <size_t R>
void rest(Format format, const uint8_t* panel, const Rows& rows, size_t row, size_t count, float* out) {
    if constexpr (R > 0) {
        if (count == R) return tile<R>(format, panel, rows, row, out);
        rest<R - 1>(format, panel, rows, row, count, out);
    }
}

inline void multiply(Format format, const uint8_t* panel, const Rows& rows, size_t row, size_t count, float* out) {
    for (; count >= TILE; row += TILE, count -= TILE, out += TILE * PANEL) tile<TILE>(format, panel, rows, row, out);
    rest<TILE - 1>(format, panel, rows, row, count, out);
}

}  // namespace OPENHEARTH_ISA
