#include "seen.h"

#include <algorithm>

namespace seen {

namespace {

constexpr size_t AHEAD = 16;  // keys whose memory is asked for in advance

// Odd numbers; the highest bits of a product with one choose the bit of a word.
constexpr uint32_t SALTS[Bloom::WORDS] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                          0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};

bool is_blank(std::string_view part) {
    for (const char *at = part.data(), *end = at + part.size(); at < end;) {
        if (!(unicode::bits(text::decode(at, end)) & unicode::SPACE)) return false;
    }
    return true;
}

uint64_t key(std::string_view part) {
    const uint64_t found = hash::xxh64(part);
    return found == BLANK ? 1 : found;
}

}  // namespace

Keys paragraphs(const text::Texts& texts, bool normalised) {
    Keys out;
    out.offsets.push_back(0);
    text::Words words;
    for (std::string_view text : texts) {
        for (size_t begin = 0; !text.empty() && begin <= text.size();) {
            const size_t end = std::min(text.find('\n', begin), text.size());
            std::string_view part = text.substr(begin, end - begin);
            if (normalised) {
                words.read(part);
                part = words.normalised.joined();
            }
            out.values.push_back(is_blank(part) ? BLANK : key(part));
            begin = end + 1;
        }
        out.offsets.push_back(static_cast<int32_t>(out.values.size()));
    }
    return out;
}

Keys runs(const text::Texts& texts, size_t n) {
    Keys out;
    out.offsets.push_back(0);
    text::Words words;
    std::vector<uint64_t> hashes, sums;
    for (std::string_view text : texts) {
        words.read(text);
        text::hashes(words.normalised, hashes);
        text::runs(hashes, n, sums);
        out.values.insert(out.values.end(), sums.begin(), sums.end());
        out.offsets.push_back(static_cast<int32_t>(out.values.size()));
    }
    return out;
}

uint64_t* Bloom::block(uint64_t key) const {
    __extension__ using Wide = unsigned __int128;
    return words_ + WORDS * static_cast<size_t>((static_cast<Wide>(key) * blocks_) >> 64);
}

bool Bloom::has(uint64_t key) const {
    const uint64_t* words = block(key);
    uint64_t missing = 0;
    for (size_t i = 0; i < WORDS; ++i) missing |= ~words[i] & uint64_t{1} << ((static_cast<uint32_t>(key) * SALTS[i]) >> 26);
    return !missing;
}

void Bloom::add(uint64_t key) {
    uint64_t* words = block(key);
    for (size_t i = 0; i < WORDS; ++i) words[i] |= uint64_t{1} << ((static_cast<uint32_t>(key) * SALTS[i]) >> 26);
}

std::vector<uint8_t> Bloom::pass(std::span<const uint64_t> keys, std::span<const int32_t> offsets, bool at_once) {
    std::vector<uint8_t> out(keys.size());
    const auto ask_ahead = [&](size_t i) {
        if (i + AHEAD < keys.size()) __builtin_prefetch(block(keys[i + AHEAD]), 1);
    };
    for (size_t text = 0; text + 1 < offsets.size(); ++text) {
        const auto begin = static_cast<size_t>(offsets[text]), end = static_cast<size_t>(offsets[text + 1]);
        for (size_t i = begin; i < end; ++i) {
            ask_ahead(i);
            if (keys[i] == BLANK) continue;
            out[i] = has(keys[i]);
            if (!at_once) add(keys[i]);
        }
        for (size_t i = begin; at_once && i < end; ++i) {
            if (keys[i] != BLANK) add(keys[i]);
        }
    }
    return out;
}

bool Sorted::contains(uint64_t key) const {
    const uint64_t bucket = shift == 64 ? 0 : key >> shift;
    return std::binary_search(keys.begin() + static_cast<ptrdiff_t>(starts[bucket]),
                              keys.begin() + static_cast<ptrdiff_t>(starts[bucket + 1]), key);
}

namespace {

// Adds the spans of one text, in characters, where runs of `n` words count: those for which
// `counts(i)` is true of the `runs` that there are.
template <class Counts>
void add_spans(std::string_view text, const text::Words& words, size_t runs, size_t n, Counts counts, Spans& out) {
    size_t counted = 0;  // bytes whose characters are counted
    int64_t characters = 0;
    const auto place = [&](size_t byte) {
        characters += text::length(text.substr(counted, byte - counted));
        counted = byte;
        return characters;
    };
    for (size_t i = 0; i < runs; ++i) {
        if (!counts(i)) continue;
        const size_t first = i;
        size_t last = i + n - 1;  // the last word of the span
        while (i + 1 < runs && i <= last) {
            if (counts(++i)) last = i + n - 1;
        }
        out.begins.push_back(place(words.places[first].begin));
        out.ends.push_back(place(words.places[last].end));
    }
    out.offsets.push_back(static_cast<int32_t>(out.begins.size()));
}

}  // namespace

Spans known(const text::Texts& texts, const Sorted& set, size_t n) {
    Spans out;
    out.offsets.push_back(0);
    text::Words words;
    std::vector<uint64_t> hashes, sums;
    for (std::string_view text : texts) {
        words.read(text);
        text::hashes(words.normalised, hashes);
        text::runs(hashes, n, sums);
        add_spans(text, words, sums.size(), n, [&](size_t i) { return set.contains(sums[i]); }, out);
    }
    return out;
}

Spans covered(const text::Texts& texts, std::span<const uint8_t> seen, size_t n) {
    Spans out;
    out.offsets.push_back(0);
    text::Words words;
    for (std::string_view text : texts) {
        words.read(text);
        const size_t runs = std::min(seen.size(), words.normalised.size() - std::min(words.normalised.size(), n - 1));
        add_spans(text, words, runs, n, [&](size_t i) { return seen[i] != 0; }, out);
        seen = seen.subspan(runs);
    }
    return out;
}

}  // namespace seen
