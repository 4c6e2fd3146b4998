// Random numbers by counter, and a logarithm and a power that are the same on every machine:
// `openhearth/inference/noise.py` has them in Python.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace engine {

constexpr size_t DRAWN = 8;  // random numbers that one counter gives

// Philox4x64-10 (Salmon et al. 2011), as numpy.random.Philox: the 32-bit halves, the lower first, of the
// words of N counters from `counter` on. Those of several at once take the processor little longer.
template <size_t N>
std::array<uint32_t, N * DRAWN> philox(uint64_t seed, uint64_t position, uint64_t counter) {
    uint64_t x[N][4];
    for (size_t n = 0; n < N; ++n) x[n][0] = counter + n, x[n][1] = x[n][2] = x[n][3] = 0;
    for (int round = 0; round < 10; ++round) {
        for (auto& [p, q, r, s] : x) {
            const auto a = static_cast<unsigned __int128>(0xD2E7470EE14C6C93) * p;
            const auto b = static_cast<unsigned __int128>(0xCA5A826395121157) * r;
            p = static_cast<uint64_t>(b >> 64) ^ q ^ seed, q = static_cast<uint64_t>(b);
            r = static_cast<uint64_t>(a >> 64) ^ s ^ position, s = static_cast<uint64_t>(a);
        }
        seed += 0x9E3779B97F4A7C15, position += 0xBB67AE8584CAA73B;
    }
    std::array<uint32_t, N * DRAWN> numbers;
    for (size_t k = 0; k < numbers.size(); ++k) numbers[k] = static_cast<uint32_t>(x[k / DRAWN][k % DRAWN / 2] >> (k % 2 * 32));
    return numbers;
}

// Natural logarithm of a positive normal number: 2 atanh((m - 1) / (m + 1)) + e ln 2, for m near 1.
inline double logarithm(double x) {
    int exponent;
    double m = std::frexp(x, &exponent);
    if (m < 0.7071067811865476) m *= 2, --exponent;
    const double t = (m - 1) / (m + 1), square = t * t;
    double sum = 1.0 / 23;
    for (int k = 21; k > 0; k -= 2) sum = sum * square + 1.0 / k;
    return exponent * 0.6931471805599453 + 2 * t * sum;
}

// A number of the standard Gumbel distribution, from 24 random bits.
inline double gumbel(uint32_t bits) {
    const double uniform = bits ? bits * 0x1p-24 : 0x1p-126;
    return -logarithm(-logarithm(uniform));
}

// Four numbers at once, as every processor has them.
using Floats = float __attribute__((vector_size(16)));
using Integers = int32_t __attribute__((vector_size(16)));
using Doubles = double __attribute__((vector_size(32)));

// 2^-z for z from 0 to 126, to 2e-7 of itself.
inline Floats power(Floats z) {
    const auto whole = __builtin_convertvector(z, Integers);
    const Floats part = z - __builtin_convertvector(whole, Floats);
    Floats sum = part * 0.000114919952f + -0.00129163684f;
    sum = sum * part + 0.00959703512f;
    sum = sum * part + -0.0554992296f;
    sum = sum * part + 0.24022609f;
    sum = sum * part + -0.693147182f;
    sum = sum * part + 1.0f;
    return sum * std::bit_cast<Floats>((127 - whole) << 23);
}

}  // namespace engine
