#include "minhash.h"

#include <algorithm>

#include "sha1.h"

namespace minhash {

namespace {

constexpr uint64_t PRIME = (uint64_t{1} << 61) - 1;
constexpr uint32_t HIGHEST = UINT32_MAX;

// The least of the values that each permutation gives to some hashes. The body is
// compiled for several processors; its inner loop is one that a compiler turns into vectors.

struct Prime {  // (a h + b) mod PRIME, cut to 32 bits
    using Hash = uint32_t;
    const uint64_t *a, *b;
    [[gnu::always_inline]] uint32_t operator()(Hash h, size_t k) const {
        const uint64_t value = a[k] * h + b[k];  // wraps around at 2^64, as the reference does
        const uint64_t once = (value & PRIME) + (value >> 61);
        return static_cast<uint32_t>(once + ((once + 1) >> 61));  // less PRIME, if it is not below
    }
};

struct Halves {  // the high half of the hash, and a times the low half
    using Hash = uint64_t;
    const uint32_t* a;
    [[gnu::always_inline]] uint32_t operator()(Hash h, size_t k) const {
        return static_cast<uint32_t>(h >> 32) + a[k] * static_cast<uint32_t>(h);
    }
};

template <class Permute>
[[gnu::always_inline]] inline void least(Permute permute, std::span<const typename Permute::Hash> hashes, size_t first, size_t last, uint32_t* out) {
    for (const auto h : hashes) {
        for (size_t k = first; k < last; ++k) {
            const uint32_t value = permute(h, k);
            out[k] = value < out[k] ? value : out[k];
        }
    }
}

template <class Permute>
[[gnu::always_inline]] inline void all_least(Permute permute, std::span<const typename Permute::Hash> hashes, size_t permutations, uint32_t* out) {
    least(permute, hashes, 0, permutations, out);
}

template <class Permute>
using Least = void (*)(Permute, std::span<const typename Permute::Hash>, size_t permutations, uint32_t* out);

template <class Permute>
void portable(Permute permute, std::span<const typename Permute::Hash> hashes, size_t permutations, uint32_t* out) {
    all_least(permute, hashes, permutations, out);
}

#if defined(__x86_64__)
template <class Permute>
__attribute__((target("avx2"))) void with_avx2(Permute permute, std::span<const typename Permute::Hash> hashes, size_t permutations, uint32_t* out) {
    all_least(permute, hashes, permutations, out);
}

template <class Permute>
__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw"))) void with_avx512(
    Permute permute, std::span<const typename Permute::Hash> hashes, size_t permutations, uint32_t* out) {
    all_least(permute, hashes, permutations, out);
}
#endif

template <class Permute>
Least<Permute> chosen() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
        return with_avx512<Permute>;
    }
    if (__builtin_cpu_supports("avx2")) return with_avx2<Permute>;
#endif
    return portable<Permute>;
}

const Least<Prime> least_prime = chosen<Prime>();
const Least<Halves> least_halves = chosen<Halves>();

// Spreads a sum of hashes over all bits: the last steps of XXH64.
uint64_t mixed(uint64_t sum) {
    sum = (sum ^ (sum >> 33)) * hash::P2;
    sum = (sum ^ (sum >> 29)) * hash::P3;
    return sum ^ (sum >> 32);
}

// `use(words, signature)` for each text that has at least `n` words.
template <class Use>
Signatures each(const text::Texts& texts, size_t n, size_t permutations, Use use) {
    Signatures out;
    out.values.assign(texts.size() * permutations, HIGHEST);
    out.valid.resize(texts.size());
    text::Words words;
    for (size_t i = 0; i < texts.size(); ++i) {
        words.read(texts[i]);
        out.valid[i] = words.normalised.size() >= n;
        if (out.valid[i]) use(words.normalised, &out.values[i * permutations]);
    }
    return out;
}

}  // namespace

Signatures by_sha1(const text::Texts& texts, size_t words, std::span<const uint64_t> a, std::span<const uint64_t> b) {
    std::vector<uint32_t> hashes;
    return each(texts, words, a.size(), [&](const text::Normalised& normalised, uint32_t* signature) {
        hashes.resize(normalised.size() - words + 1);
        for (size_t i = 0; i < hashes.size(); ++i) hashes[i] = sha1::first(normalised.ngram(i, words));
        least_prime({a.data(), b.data()}, hashes, a.size(), signature);
    });
}

Signatures by_runs(const text::Texts& texts, size_t words, std::span<const uint32_t> a) {
    std::vector<uint64_t> hashes, sums;
    return each(texts, words, a.size(), [&](const text::Normalised& normalised, uint32_t* signature) {
        text::hashes(normalised, hashes);
        text::runs(hashes, words, sums);
        for (uint64_t& sum : sums) sum = mixed(sum);
        least_halves({a.data()}, sums, a.size(), signature);
    });
}

std::vector<uint64_t> keys(std::span<const uint32_t> signatures, size_t stride, size_t bands, size_t rows) {
    const size_t count = stride ? signatures.size() / stride : 0;
    std::vector<uint64_t> out(count * bands);
    std::vector<uint32_t> band(rows);
    for (size_t i = 0; i < count; ++i) {
        for (size_t k = 0; k < bands; ++k) {
            const uint32_t* values = &signatures[i * stride + k * rows];
            std::transform(values, values + rows, band.begin(), [](uint32_t value) { return __builtin_bswap32(value); });
            out[i * bands + k] = hash::xxh64({reinterpret_cast<const char*>(band.data()), 4 * rows}, k);
        }
    }
    return out;
}

}  // namespace minhash
