#include "sha1.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace sha1 {

namespace {

using State = uint32_t[5];
using Compress = void (*)(State&, const uint8_t*, size_t blocks);

uint32_t big(const uint8_t* at) {
    uint32_t value;
    std::memcpy(&value, at, 4);
    return __builtin_bswap32(value);
}

void portable(State& state, const uint8_t* at, size_t blocks) {
    for (; blocks; --blocks, at += 64) {
        uint32_t w[80];
        for (int i = 0; i < 16; ++i) w[i] = big(at + 4 * i);
        for (int i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        auto [a, b, c, d, e] = state;
        const auto round = [&](uint32_t f, uint32_t k, uint32_t word) {
            const uint32_t next = std::rotl(a, 5) + f + e + k + word;
            e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
        };
        for (int i = 0; i < 20; ++i) round((b & c) | (~b & d), 0x5A827999, w[i]);
        for (int i = 20; i < 40; ++i) round(b ^ c ^ d, 0x6ED9EBA1, w[i]);
        for (int i = 40; i < 60; ++i) round((b & c) | (b & d) | (c & d), 0x8F1BBCDC, w[i]);
        for (int i = 60; i < 80; ++i) round(b ^ c ^ d, 0xCA62C1D6, w[i]);
        state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
    }
}

#if defined(__x86_64__)

// Four rounds an instruction. Round group `i` takes four words; the words of later groups are made
// of those of the four groups before.
template <int i>
__attribute__((target("sha,sse4.1"))) inline void four_rounds(__m128i& abcd, __m128i& e, __m128i& e_next, __m128i (&w)[4]) {
    __m128i& now = w[i % 4];
    e = i ? _mm_sha1nexte_epu32(e, now) : _mm_add_epi32(e, now);
    e_next = abcd;
    if constexpr (i >= 3 && i < 19) w[(i + 1) % 4] = _mm_sha1msg2_epu32(w[(i + 1) % 4], now);
    abcd = _mm_sha1rnds4_epu32(abcd, e, i / 5);
    if constexpr (i >= 1 && i < 17) w[(i + 3) % 4] = _mm_sha1msg1_epu32(w[(i + 3) % 4], now);
    if constexpr (i >= 2 && i < 18) w[(i + 2) % 4] = _mm_xor_si128(w[(i + 2) % 4], now);
}

template <int i = 0>
__attribute__((target("sha,sse4.1"))) inline void all_rounds(__m128i& abcd, __m128i& e, __m128i& e_next, __m128i (&w)[4]) {
    four_rounds<i>(abcd, e, e_next, w);
    if constexpr (i < 19) all_rounds<i + 1>(abcd, e_next, e, w);
}

__attribute__((target("sha,sse4.1"))) void with_sha(State& state, const uint8_t* at, size_t blocks) {
    const __m128i reverse = _mm_set_epi64x(0x0001020304050607, 0x08090A0B0C0D0E0F);
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(&state[0])), 0x1B);
    __m128i e = _mm_set_epi32(static_cast<int>(state[4]), 0, 0, 0), e_next;
    for (; blocks; --blocks, at += 64) {
        const __m128i abcd_before = abcd, e_before = e;
        __m128i w[4];
        for (int i = 0; i < 4; ++i) w[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * i)), reverse);
        all_rounds(abcd, e, e_next, w);
        e = _mm_sha1nexte_epu32(e, e_before);  // twenty groups: the two have changed places evenly
        abcd = _mm_add_epi32(abcd, abcd_before);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(&state[0]), _mm_shuffle_epi32(abcd, 0x1B));
    state[4] = static_cast<uint32_t>(_mm_extract_epi32(e, 3));
}

#endif

Compress chosen() {
#if defined(__x86_64__)
    unsigned eax, ebx, ecx, edx;
    // Bit 29 of leaf 7; not every compiler's __builtin_cpu_supports knows it.
    const bool sha = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx >> 29 & 1);
    if (sha && __builtin_cpu_supports("sse4.1")) return with_sha;
#endif
    return portable;
}

const Compress compress = chosen();

uint32_t first(std::string_view message, Compress through) {
    State state = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    const auto* bytes = reinterpret_cast<const uint8_t*>(message.data());
    const size_t whole = message.size() / 64, left = message.size() % 64;
    if (whole) through(state, bytes, whole);
    uint8_t last[128] = {};  // the rest, one bit, zeros, and the length in bits
    if (left) std::memcpy(last, bytes + 64 * whole, left);
    last[left] = 0x80;
    const size_t blocks = left < 56 ? 1 : 2;
    const uint64_t length = __builtin_bswap64(8 * static_cast<uint64_t>(message.size()));
    std::memcpy(last + 64 * blocks - 8, &length, 8);
    through(state, last, blocks);
    return __builtin_bswap32(state[0]);
}

}  // namespace

uint32_t first(std::string_view message) { return first(message, compress); }
uint32_t first_portably(std::string_view message) { return first(message, portable); }

}  // namespace sha1
