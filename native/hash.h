// XXH64 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), written after its specification.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace hash {

constexpr uint64_t P1 = 0x9E3779B185EBCA87, P2 = 0xC2B2AE3D27D4EB4F, P3 = 0x165667B19E3779F9,
                   P4 = 0x85EBCA77C2B2AE63, P5 = 0x27D4EB2F165667C5;

template <class Integer>
Integer read(const char* at) {  // little-endian, as all machines this is built for
    Integer value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

inline uint64_t round(uint64_t sum, uint64_t lane) { return std::rotl(sum + lane * P2, 31) * P1; }
inline uint64_t merge(uint64_t sum, uint64_t lane) { return (sum ^ round(0, lane)) * P1 + P4; }

inline uint64_t xxh64(std::string_view bytes, uint64_t seed = 0) {
    const char* at = bytes.data();
    size_t left = bytes.size();
    uint64_t sum = seed + P5;
    if (left >= 32) {
        uint64_t a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
        for (; left >= 32; at += 32, left -= 32) {
            a = round(a, read<uint64_t>(at));
            b = round(b, read<uint64_t>(at + 8));
            c = round(c, read<uint64_t>(at + 16));
            d = round(d, read<uint64_t>(at + 24));
        }
        sum = std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
        for (uint64_t lane : {a, b, c, d}) sum = merge(sum, lane);
    }
    sum += bytes.size();
    for (; left >= 8; at += 8, left -= 8) sum = std::rotl(sum ^ round(0, read<uint64_t>(at)), 27) * P1 + P4;
    if (left >= 4) {
        sum = std::rotl(sum ^ read<uint32_t>(at) * P1, 23) * P2 + P3;
        at += 4, left -= 4;
    }
    for (; left; ++at, --left) sum = std::rotl(sum ^ static_cast<uint8_t>(*at) * P5, 11) * P1;
    sum = (sum ^ (sum >> 33)) * P2;
    sum = (sum ^ (sum >> 29)) * P3;
    return sum ^ (sum >> 32);
}

// A quicker hash of short texts, for tables that no one else sees: the two halves of a product of 64
// by 64 bits, as in wyhash (github.com/wangyi-fudan/wyhash).
inline uint64_t quick(std::string_view bytes) {
    const size_t n = bytes.size();
    if (n > 16) return xxh64(bytes);
    const char* at = bytes.data();
    uint64_t first = 0, second = 0;
    if (n >= 8) {
        first = read<uint64_t>(at), second = read<uint64_t>(at + n - 8);
    } else if (n >= 4) {
        first = read<uint32_t>(at), second = read<uint32_t>(at + n - 4);
    } else if (n) {
        const auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<uint8_t>(at[i])); };
        first = byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
    }
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(first ^ P1 * (n + 1)) * (second ^ P2);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// A set of hashes, made once and asked often.
class Set {
public:
    Set() = default;
    explicit Set(std::initializer_list<std::string_view> words) {
        for (std::string_view word : words) insert(quick(word));
    }
    void insert(uint64_t key) {
        if (SPARSE * ++size_ > slots_.size()) grow();
        put(key);
    }
    bool empty() const { return !size_; }
    bool contains(uint64_t key) const {
        size_t i = key & mask_;
        // Nearly always the first slot answers; without a branch, as what it says is hard to guess.
        while (slots_[i] != key && slots_[i]) [[unlikely]] i = (i + 1) & mask_;
        return slots_[i] == key;
    }

private:
    static constexpr size_t SPARSE = 8;  // slots for each key, at least

    void put(uint64_t key) {
        size_t i = key & mask_;
        while (slots_[i] && slots_[i] != key) i = (i + 1) & mask_;
        slots_[i] = key;
    }
    void grow() {
        std::vector<uint64_t> old(std::bit_ceil(2 * SPARSE * size_));
        old.swap(slots_);
        mask_ = slots_.size() - 1;
        for (uint64_t key : old) {
            if (key) put(key);
        }
    }
    std::vector<uint64_t> slots_ = {0};  // zero is empty: no key that matters is zero
    size_t size_ = 0, mask_ = 0;
};

// Of two hashes in their order: XXH64 of their sixteen bytes.
inline uint64_t pair(uint64_t first, uint64_t second) {
    char bytes[16];
    std::memcpy(bytes, &first, 8);
    std::memcpy(bytes + 8, &second, 8);
    return xxh64({bytes, 16});
}

}  // namespace hash
