#include "words.h"

#include <array>

namespace text {

namespace {

constexpr uint64_t FACTOR = hash::P1;

// For each byte what its character has, if it is ASCII: a space, a small letter, or something else.
enum Kind : uint8_t { OTHER, SPACE, PLAIN, WIDE };
const auto KINDS = [] {
    std::array<uint8_t, 256> table{};
    for (unsigned c = 0; c < 256; ++c) {
        const bool space = c < 128 && (unicode::bits(static_cast<uint8_t>(c)) & unicode::SPACE);
        table[c] = c >= 128 ? WIDE : space ? SPACE : c >= 'a' && c <= 'z' ? PLAIN : OTHER;
    }
    return table;
}();

uint8_t kind(char c) { return KINDS[static_cast<uint8_t>(c)]; }

// Where the character at `at` ends, and whether it is a space.
bool is_space(const char*& at, const char* end) { return unicode::bits(decode(at, end)) & unicode::SPACE; }

}  // namespace

void Words::read(std::string_view text) {
    normalised.clear();
    places.clear();
    const char *const begin = text.data(), *const end = begin + text.size();
    for (const char* at = begin; at < end;) {
        if (const char* next = at; kind(*at) == SPACE || (kind(*at) == WIDE && is_space(next, end))) {
            at = next == at ? at + 1 : next;
            continue;
        }
        const char* const first = at;
        uint32_t more = 0;  // bytes that only go on with a character
        while (at < end && kind(*at) == PLAIN) ++at;
        bool plain = true;
        while (at < end && kind(*at) != SPACE) {
            const char* next = at + 1;
            if (kind(*at) == WIDE && is_space(next = at, end)) break;
            more += static_cast<uint32_t>(next - at) - 1;
            plain = false;
            at = next;
        }
        Word word{{static_cast<uint32_t>(first - begin), static_cast<uint32_t>(at - begin)}, 0, 0, 0, 0};
        word.length = word.size() - more;
        word.all = plain ? unicode::LETTER : 0;
        const size_t before = normalised.size();
        normalised.add(text, word, decode_);
        if (normalised.size() != before) places.push_back(word);
    }
}

void hashes(const Normalised& words, std::vector<uint64_t>& out) {
    out.resize(words.size());
    for (size_t i = 0; i < words.size(); ++i) out[i] = hash::xxh64(words.ngram(i, 1));
}

void runs(const std::vector<uint64_t>& hashes, size_t n, std::vector<uint64_t>& out) {
    out.clear();
    if (hashes.size() < n) return;
    out.resize(hashes.size() - n + 1);
    uint64_t sum = 0, power = 1;  // the factor to the n-th
    for (size_t i = 0; i < n; ++i) {
        sum = sum * FACTOR + hashes[i];
        power *= FACTOR;
    }
    out[0] = sum;
    for (size_t i = n; i < hashes.size(); ++i) {
        sum = sum * FACTOR + hashes[i] - power * hashes[i - n];
        out[i - n + 1] = sum;
    }
}

Joined normalise(const Texts& texts) {
    Joined out;
    size_t size = 0;
    for (std::string_view text : texts) size += text.size();
    out.bytes.reserve(size);
    out.offsets.push_back(0);
    Words words;
    for (std::string_view text : texts) {
        words.read(text);
        const std::string_view joined = words.normalised.joined();
        out.bytes.insert(out.bytes.end(), joined.begin(), joined.end());
        out.offsets.push_back(static_cast<int64_t>(out.bytes.size()));
    }
    return out;
}

}  // namespace text
