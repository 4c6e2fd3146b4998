// Numbers of sixteen bits: IEEE half precision, and bfloat16, the upper half of a float.
#pragma once

#include <bit>
#include <cstdint>

struct Half {
    uint16_t bits;
};
struct Brain {
    uint16_t bits;
};

[[gnu::always_inline]] inline float wide(Brain x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }

[[gnu::always_inline]] inline float wide(Half x) {
    const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16, rest = x.bits & 0x7FFF;
    if (rest >= 0x7C00) return std::bit_cast<float>(sign | 0x7F800000 | (rest & 0x3FF) << 13);
    // As a float with an exponent too small by 112, which the product puts right, subnormals too.
    const float value = std::bit_cast<float>(rest << 13) * 0x1p112f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
}

// To the nearest, of two the even one.
[[gnu::always_inline]] inline Half half(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x), sign = bits >> 16 & 0x8000, rest = bits & 0x7FFFFFFF;
    if (rest > 0x7F800000) return {static_cast<uint16_t>(sign | 0x7E00)};
    if (rest >= 0x477FF000) return {static_cast<uint16_t>(sign | 0x7C00)};  // 65520 and more
    if (rest < 0x38800000) {  // subnormal: the sum rounds at the right bit
        const float shifted = std::bit_cast<float>(rest) + 0.5f;
        return {static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000))};
    }
    return {static_cast<uint16_t>(sign | (rest - 0x38000000 + 0xFFF + (rest >> 13 & 1)) >> 13)};
}

// To the nearest, of two the even one.
[[gnu::always_inline]] inline Brain brain(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return {static_cast<uint16_t>(bits >> 16 | 64)};
    return {static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}
