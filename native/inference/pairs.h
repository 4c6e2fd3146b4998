// Pairs of whole numbers of sixteen bits, sixteen at once, and what their products sum up to, in 32 bits.
//
// Sums are exact, so they are the same on every processor and in any order. A processor makes twice as
// many of these products at once as of floats.
#pragma once

#include "kernels.h"
#include "lanes.h"

namespace OPENHEARTH_ISA {

#if defined(OPENHEARTH_AVX512)

struct Pairs {
    __m512i v;
};
// Of a type that says what it holds, or the compiler keeps sums twice, of which half go to the stack.
using Lanes = int32_t __attribute__((vector_size(64)));
struct Sums {
    Lanes v;
};
inline Sums nothing() { return {Lanes{}}; }
inline Pairs pairs(const int16_t* at) { return {_mm512_loadu_si512(at)}; }
inline Pairs pairs(const int8_t* at) { return {_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)))}; }
inline Pairs all_pairs(const int16_t* two) {
    int32_t both;
    std::memcpy(&both, two, sizeof both);
    return {_mm512_set1_epi32(both)};
}
inline Sums dot(Pairs a, Pairs b, Sums c) { return {reinterpret_cast<Lanes>(_mm512_dpwssd_epi32(reinterpret_cast<__m512i>(c.v), a.v, b.v))}; }
inline F floats(Sums x) { return {_mm512_cvtepi32_ps(reinterpret_cast<__m512i>(x.v))}; }

#elif defined(OPENHEARTH_AVX2)

struct Pairs {
    __m256i low, high;
};
using Lanes = int32_t __attribute__((vector_size(32)));
struct Sums {
    Lanes low, high;
};
inline Sums nothing() { return {Lanes{}, Lanes{}}; }
inline Pairs pairs(const int16_t* at) {
    const auto* from = reinterpret_cast<const __m256i*>(at);
    return {_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1)};
}
inline Pairs pairs(const int8_t* at) {
    const auto* from = reinterpret_cast<const __m128i*>(at);
    return {_mm256_cvtepi8_epi16(_mm_loadu_si128(from)), _mm256_cvtepi8_epi16(_mm_loadu_si128(from + 1))};
}
inline Pairs all_pairs(const int16_t* two) {
    int32_t both;
    std::memcpy(&both, two, sizeof both);
    return {_mm256_set1_epi32(both), _mm256_set1_epi32(both)};
}
inline Sums dot(Pairs a, Pairs b, Sums c) {
    const auto more = [](__m256i one, __m256i other) { return reinterpret_cast<Lanes>(_mm256_madd_epi16(one, other)); };
    return {c.low + more(a.low, b.low), c.high + more(a.high, b.high)};
}
inline F floats(Sums x) { return {_mm256_cvtepi32_ps(reinterpret_cast<__m256i>(x.low)), _mm256_cvtepi32_ps(reinterpret_cast<__m256i>(x.high))}; }

#else

struct Pairs {
    int16_t v[2 * LANES];
};
struct Sums {
    int32_t v[LANES];
};
inline Sums nothing() { return {}; }
template <class Number>
Pairs pairs(const Number* at) {
    Pairs out;
    for (size_t i = 0; i < 2 * LANES; ++i) out.v[i] = at[i];
    return out;
}
inline Pairs all_pairs(const int16_t* two) {
    Pairs out;
    for (size_t i = 0; i < 2 * LANES; ++i) out.v[i] = two[i % 2];
    return out;
}
inline Sums dot(Pairs a, Pairs b, Sums c) {
    for (size_t i = 0; i < LANES; ++i) c.v[i] += a.v[2 * i] * b.v[2 * i] + a.v[2 * i + 1] * b.v[2 * i + 1];
    return c;
}
inline F floats(Sums x) {
    return each([&](size_t i) { return static_cast<float>(x.v[i]); });
}

#endif

// Numbers as whole ones, `most` at most, and a scale; the scale. It is no number if one of them is none.
template <class Number>
float narrow(const float* x, size_t count, float most, Number* out) {
    F size = zero(), strange = zero();
    for (size_t i = 0; i < count; i += LANES) {
        size = max(absolute(load(x + i)), size);
        strange = fma(load(x + i), zero(), strange);
    }
    const float large = largest(size);
    const F factor = all(large > 0 ? most / large : 0.0f);
    for (size_t i = 0; i < count; i += LANES) store(out + i, max(min(load(x + i) * factor, all(most)), all(-most)));
    return large / most + sum(strange);
}

}  // namespace OPENHEARTH_ISA
