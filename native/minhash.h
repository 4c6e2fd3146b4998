// MinHash signatures of texts, and the keys of their bands. openhearth/data/dedup/minhash.py says
// what they are.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "words.h"

namespace minhash {

struct Signatures {
    std::vector<uint32_t> values;  // [texts][permutations]
    std::vector<uint8_t> valid;    // [texts] whether there are enough words
};

// With RedPajama-V2's hash: SHA-1 of the words, then (a h + b) mod 2^61 - 1 in `a.size()` ways.
Signatures by_sha1(const text::Texts& texts, size_t words, std::span<const uint64_t> a, std::span<const uint64_t> b);

// With the hash of a run of words, mixed; then its high half plus a times its low half.
Signatures by_runs(const text::Texts& texts, size_t words, std::span<const uint32_t> a);

// For each signature, `stride` values, the XXH64 of each of its bands, big-endian; the number of a
// band is its seed. [signatures][bands]
std::vector<uint64_t> keys(std::span<const uint32_t> signatures, size_t stride, size_t bands, size_t rows);

}  // namespace minhash
