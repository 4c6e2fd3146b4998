// Parts of texts that were seen before: keys of paragraphs and of runs of words, a Bloom filter that
// remembers keys, and a sorted set of them. openhearth/data/dedup/{paragraphs,bloom}.py and
// openhearth/data/ngram_index.py say what each computes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "words.h"

namespace seen {

constexpr uint64_t BLANK = 0;  // the key of a paragraph without words

// Keys of each text, one after another, and where each text's begin.
struct Keys {
    std::vector<uint64_t> values;
    std::vector<int32_t> offsets;
};

// XXH64 of each paragraph between newlines, as it stands or normalised.
Keys paragraphs(const text::Texts& texts, bool normalised);

// The hash of each run of `n` words.
Keys runs(const text::Texts& texts, size_t n);

// A blocked Bloom filter: a key has one bit in each of the eight words of one block.
class Bloom {
public:
    static constexpr size_t WORDS = 8;
    explicit Bloom(std::span<uint64_t> words) : words_(words.data()), blocks_(words.size() / WORDS) {}

    // Asks for each key whether it was seen, and adds it. Texts are asked one after another: by
    // `at_once` a text is asked whole before it is added, so that it does not see itself.
    std::vector<uint8_t> pass(std::span<const uint64_t> keys, std::span<const int32_t> offsets, bool at_once);

private:
    uint64_t* block(uint64_t key) const;
    bool has(uint64_t key) const;
    void add(uint64_t key);

    uint64_t* words_;
    size_t blocks_;
};

// Sorted keys, and by their highest bits where they begin.
struct Sorted {
    std::span<const uint64_t> keys, starts;  // `starts` has one entry more than 2^(64 - shift)
    unsigned shift;
    bool contains(uint64_t key) const;
};

// For each text where its runs of `n` words are known, in characters; runs that overlap or follow
// each other are one span.
struct Spans {
    std::vector<int64_t> begins, ends;
    std::vector<int32_t> offsets;
};
Spans known(const text::Texts& texts, const Sorted& set, size_t n);

// The same, where `seen` says of each run, one text after another, whether it is known.
Spans covered(const text::Texts& texts, std::span<const uint8_t> seen, size_t n);

}  // namespace seen
