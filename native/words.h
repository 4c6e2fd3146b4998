// The normalised words of texts, and nothing else: what de-duplication reads. normalise() in
// openhearth/data/signals/views.py says what they are.
#pragma once

#include <string_view>
#include <vector>

#include "text.h"

namespace text {

using Texts = std::vector<std::string_view>;

class Words {
public:
    void read(std::string_view text);

    Normalised normalised;
    std::vector<Span> places;  // in the text, of each normalised word

private:
    Decoder decode_;
};

// XXH64 of each normalised word.
void hashes(const Normalised& words, std::vector<uint64_t>& out);

// Of each run of `n` hashes the sum of each times a power of an odd factor, the last one's the
// zeroth, modulo 2^64. ngram_hashes() in openhearth/data/ngram_index.py says the same.
void runs(const std::vector<uint64_t>& hashes, size_t n, std::vector<uint64_t>& out);

// Texts as RedPajama-V2 normalises them, one after another, and where each begins.
struct Joined {
    std::vector<uint8_t> bytes;
    std::vector<int64_t> offsets;
};
Joined normalise(const Texts& texts);

}  // namespace text
