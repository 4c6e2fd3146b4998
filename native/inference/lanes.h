// Sixteen floats at once, as the processor has them: one register of AVX-512, two of AVX2, or an array.
//
// All forms compute the same numbers to the last bit: the same operations on the same lanes, products
// and sums fused, and sums over lanes always by halves. So a result does not depend on the machine.
// Include it after defining one of OPENHEARTH_AVX512, OPENHEARTH_AVX2 or neither.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "half.h"

#if defined(OPENHEARTH_AVX512) || defined(OPENHEARTH_AVX2)
#include <immintrin.h>
#endif

namespace OPENHEARTH_ISA {

constexpr size_t LANES = 16;

#if defined(OPENHEARTH_AVX512)

struct F {
    __m512 v;
};
inline F zero() { return {_mm512_setzero_ps()}; }
inline F all(float x) { return {_mm512_set1_ps(x)}; }
inline F load(const float* at) { return {_mm512_loadu_ps(at)}; }
inline F load(const Half* at) { return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)))}; }
inline F load(const Brain* at) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at))), 16))};
}
inline F load(const int8_t* at) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))))};
}
inline void store(float* at, F x) { _mm512_storeu_ps(at, x.v); }
// Rounded to whole numbers, to even ones in the middle.
inline void store(int8_t* at, F x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x.v)));
}
inline void store(int16_t* at, F x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(x.v)));
}
inline void store(Brain* at, F x) {
    const __m512i bits = _mm512_castps_si512(x.v), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd), 16);
    const __m512i none = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(64));
    const __m512i kept = _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q), rounded, none);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), _mm512_cvtepi32_epi16(kept));
}
inline F operator+(F a, F b) { return {_mm512_add_ps(a.v, b.v)}; }
inline F operator-(F a, F b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline F operator*(F a, F b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline F operator/(F a, F b) { return {_mm512_div_ps(a.v, b.v)}; }
inline F fma(F a, F b, F c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline F max(F a, F b) { return {_mm512_max_ps(a.v, b.v)}; }
inline F min(F a, F b) { return {_mm512_min_ps(a.v, b.v)}; }
inline F absolute(F a) { return {_mm512_abs_ps(a.v)}; }
inline F nearest(F a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
// x times two to the n-th, n a whole number from -126 to 127.
inline F scaled(F x, F n) { return {_mm512_scalef_ps(x.v, n.v)}; }
// The first `count` lanes, which may be negative or more than all; `other` in the rest.
inline F first(F x, int count, F other) {
    const __mmask16 mask = count <= 0 ? 0 : count >= 16 ? 0xFFFF : static_cast<__mmask16>((1u << count) - 1);
    return {_mm512_mask_blend_ps(mask, other.v, x.v)};
}

struct Halves {
    __m256 low, high;
};
inline Halves halves(F x) { return {_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1)}; }

#elif defined(OPENHEARTH_AVX2)

struct F {
    __m256 low, high;
};
inline F zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline F all(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline F load(const float* at) { return {_mm256_loadu_ps(at), _mm256_loadu_ps(at + 8)}; }
inline F load(const Half* at) {
    const auto half = [](const Half* from) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))); };
    return {half(at), half(at + 8)};
}
inline F load(const Brain* at) {
    const auto half = [](const Brain* from) {
        const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
        return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
    };
    return {half(at), half(at + 8)};
}
inline F load(const int8_t* at) {
    const __m128i numbers = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const auto half = [](__m128i eight) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight)); };
    return {half(numbers), half(_mm_srli_si128(numbers, 8))};
}
inline void store(float* at, F x) { _mm256_storeu_ps(at, x.low), _mm256_storeu_ps(at + 8, x.high); }
// As sixteen bits, in order.
inline __m256i packed(F x) {
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(_mm256_cvtps_epi32(x.low), _mm256_cvtps_epi32(x.high)), 0xD8);
}
inline void store(int16_t* at, F x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), packed(x)); }
inline void store(int8_t* at, F x) {
    const __m256i both = packed(x);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm_packs_epi16(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1)));
}
inline void store(Brain* at, F x) {
    const auto half = [](__m256 from) {
        const __m256i bits = _mm256_castps_si256(from), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd), 16);
        const __m256i none = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(64));
        return _mm256_blendv_epi8(rounded, none, _mm256_castps_si256(_mm256_cmp_ps(from, from, _CMP_UNORD_Q)));
    };
    const __m256i mixed = _mm256_packus_epi32(half(x.low), half(x.high));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), _mm256_permute4x64_epi64(mixed, 0xD8));
}
inline F operator+(F a, F b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline F operator-(F a, F b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline F operator*(F a, F b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline F operator/(F a, F b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
inline F fma(F a, F b, F c) { return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)}; }
inline F max(F a, F b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
inline F min(F a, F b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
inline F absolute(F a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
inline F nearest(F a) {
    constexpr int MODE = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_round_ps(a.low, MODE), _mm256_round_ps(a.high, MODE)};
}
inline F scaled(F x, F n) {
    const auto half = [](__m256 from, __m256 by) {
        const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(by), _mm256_set1_epi32(127)), 23);
        return _mm256_mul_ps(from, _mm256_castsi256_ps(power));
    };
    return {half(x.low, n.low), half(x.high, n.high)};
}
inline F first(F x, int count, F other) {
    const __m256i number = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const auto half = [&](__m256 yes, __m256 no, int some) {
        return _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(some), number)));
    };
    return {half(x.low, other.low, count), half(x.high, other.high, count - 8)};
}

struct Halves {
    __m256 low, high;
};
inline Halves halves(F x) { return {x.low, x.high}; }

#else

struct F {
    float v[LANES];
};
template <class Use>
F each(Use use) {
    F out;
    for (size_t i = 0; i < LANES; ++i) out.v[i] = use(i);
    return out;
}
inline F all(float x) { return each([&](size_t) { return x; }); }
inline F zero() { return all(0.0f); }
inline F load(const float* at) { return each([&](size_t i) { return at[i]; }); }
inline F load(const Half* at) { return each([&](size_t i) { return wide(at[i]); }); }
inline F load(const Brain* at) { return each([&](size_t i) { return wide(at[i]); }); }
inline F load(const int8_t* at) { return each([&](size_t i) { return static_cast<float>(at[i]); }); }
inline void store(float* at, F x) { std::memcpy(at, x.v, sizeof x.v); }
inline void store(Brain* at, F x) {
    for (size_t i = 0; i < LANES; ++i) at[i] = brain(x.v[i]);
}
template <class Number>
void store(Number* at, F x) {
    constexpr float LEAST = std::numeric_limits<Number>::min(), MOST = std::numeric_limits<Number>::max();
    for (size_t i = 0; i < LANES; ++i) at[i] = static_cast<Number>(std::fmin(std::fmax(std::nearbyintf(x.v[i]), LEAST), MOST));
}
inline F operator+(F a, F b) { return each([&](size_t i) { return a.v[i] + b.v[i]; }); }
inline F operator-(F a, F b) { return each([&](size_t i) { return a.v[i] - b.v[i]; }); }
inline F operator*(F a, F b) { return each([&](size_t i) { return a.v[i] * b.v[i]; }); }
inline F operator/(F a, F b) { return each([&](size_t i) { return a.v[i] / b.v[i]; }); }
inline F fma(F a, F b, F c) { return each([&](size_t i) { return std::fma(a.v[i], b.v[i], c.v[i]); }); }
inline F max(F a, F b) { return each([&](size_t i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; }); }
inline F min(F a, F b) { return each([&](size_t i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; }); }
inline F absolute(F a) { return each([&](size_t i) { return std::fabs(a.v[i]); }); }
inline F nearest(F a) { return each([&](size_t i) { return std::nearbyintf(a.v[i]); }); }
inline F scaled(F x, F n) { return each([&](size_t i) { return x.v[i] * std::ldexp(1.0f, static_cast<int>(n.v[i])); }); }
inline F first(F x, int count, F other) {
    return each([&](size_t i) { return static_cast<int>(i) < count ? x.v[i] : other.v[i]; });
}

#endif

// Sums and largest numbers, by halves: lanes 0 to 7 with 8 to 15, what comes of it 0 to 3 with 4 to 7, and
// so on.
#if defined(OPENHEARTH_AVX512) || defined(OPENHEARTH_AVX2)

inline float sum(F x) {
    const Halves h = halves(x);
    const __m256 eight = _mm256_add_ps(h.low, h.high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float largest(F x) {
    const Halves h = halves(x);
    const __m256 eight = _mm256_max_ps(h.low, h.high);
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#else

template <class Join>
float folded(F x, Join join) {
    float v[LANES];
    store(v, x);
    for (size_t n = LANES / 2; n; n /= 2) {
        for (size_t i = 0; i < n; ++i) v[i] = join(v[i], v[i + n]);
    }
    return v[0];
}

inline float sum(F x) {
    return folded(x, [](float a, float b) { return a + b; });
}
inline float largest(F x) {
    return folded(x, [](float a, float b) { return a > b ? a : b; });
}

#endif

// e to the x: 2^n * e^r with r between -ln 2 / 2 and ln 2 / 2, by a polynomial of degree six
// (coefficients of Cephes' expf). What is below -87 counts as that.
inline F exponential(F x) {
    x = max(min(x, all(88.0f)), all(-87.0f));
    const F n = nearest(x * all(1.44269504f));
    F r = fma(n, all(-0.693359375f), x);
    r = fma(n, all(2.12194440e-4f), r);
    F p = all(1.9875691500e-4f);
    for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f}) p = fma(p, r, all(c));
    return scaled(fma(p, r * r, r + all(1.0f)), n);
}

// 2 to the x, x not above 0, by a polynomial of degree six (coefficients of Cephes' exp2f). What is below
// -126 counts as that; what is no number stays none.
inline F power_of_two(F x) {
    x = max(all(-126.0f), x);
    const F n = nearest(x), r = x - n;
    F p = all(1.535336188319500e-4f);
    for (float c : {1.339887440266574e-3f, 9.618437357674640e-3f, 5.550332471162809e-2f, 2.402264791363012e-1f, 6.931472028550421e-1f, 1.0f}) {
        p = fma(p, r, all(c));
    }
    return scaled(p, n);
}

}  // namespace OPENHEARTH_ISA
