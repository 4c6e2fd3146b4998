#include "text.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace text {

namespace {

constexpr size_t LONGEST = 4;  // bytes of a character

// Writes a character as UTF-8; returns where it ends.
char* encode(char* at, char32_t c) {
    const auto put = [&](char32_t byte) { *at++ = static_cast<char>(byte); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xC0 | c >> 6), put(0x80 | (c & 63));
    } else if (c < 0x10000) {
        put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 63)), put(0x80 | (c & 63));
    } else {
        put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 63)), put(0x80 | (c >> 6 & 63)), put(0x80 | (c & 63));
    }
    return at;
}

}  // namespace

void Normalised::clear() {
    size_ = 0;
    ends_.clear();
    lengths_.clear();
    hashes_.clear();
    characters_ = numeric_ = 0;
}

void Normalised::add(std::string_view text, const Word& word, Decoder& decode) {
    room(word.size() + 1);
    const size_t before = size_;
    if (size()) joined_[size_++] = ' ';
    const size_t begin = size_;
    uint64_t hash = word.hash;
    if (word.is_plain()) {
        std::memcpy(&joined_[size_], &text[word.begin], word.size());
        size_ += word.size();
        length_ = word.size();
    } else {
        decode(text, word, [&](const auto& characters) { fold(characters); });
        if (!length_) {
            size_ = before;
            return;
        }
        if (disordered_) reorder(begin);
        hash = hash::quick({&joined_[begin], size_ - begin});
    }
    ends_.push_back(static_cast<uint32_t>(size_));
    lengths_.push_back(length_);
    hashes_.push_back(hash);
    characters_ += length_;
}

namespace {

// ASCII characters in lower case; 0 for punctuation, which goes.
const auto KEPT = [] {
    std::array<char, 128> table{};
    for (int c = 0; c < 128; ++c) {
        const bool upper = c >= 'A' && c <= 'Z';
        table[static_cast<size_t>(c)] = static_cast<char>(unicode::is_ascii_punctuation(static_cast<char32_t>(c)) ? 0 : upper ? c + 32 : c);
    }
    return table;
}();

}  // namespace

template <class Characters>
void Normalised::fold(const Characters& word) {
    last_class_ = 0;
    disordered_ = false;
    length_ = 0;
    for (uint32_t i = 0; i < word.size(); ++i) {
        const char32_t c = word[i];
        if (c >= 128) {
            fold(word, i);
            room(word.size() - i);
        } else if (KEPT[c] || c == 0) {
            joined_[size_++] = KEPT[c];
            numeric_ += unicode::is_ascii_digit(c);
            ++length_;
            last_class_ = 0;
        }
    }
}

namespace {

// Whether a sigma ends a word: a character with case before it and none after it, as str.lower
// looks for them. ASCII punctuation is gone by then.
template <class Characters>
bool is_final_sigma(const Characters& word, uint32_t at) {
    const auto passed = [&](uint32_t i) {
        return unicode::is_ascii_punctuation(word[i]) || (word.bits(i) & unicode::IGNORABLE);
    };
    uint32_t before = at;
    while (before > 0 && passed(before - 1)) --before;
    if (!before || !(word.bits(before - 1) & unicode::CASED)) return false;
    uint32_t after = at + 1;
    while (after < word.size() && passed(after)) ++after;
    return after == word.size() || !(word.bits(after) & unicode::CASED);
}

}  // namespace

template <class Characters>
void Normalised::fold(const Characters& word, uint32_t i) {
    const char32_t c = word[i];
    if (unicode::is_hangul(c)) {
        char32_t letters[3];
        const size_t n = unicode::hangul(c, letters);
        for (size_t k = 0; k < n; ++k) put(letters[k]);
    } else if (c == unicode::SIGMA) {
        put(is_final_sigma(word, i) ? unicode::FINAL_SIGMA : unicode::SMALL_SIGMA);
    } else if (const auto folded = unicode::folded(c); !folded.empty()) {
        for (uint32_t letter : folded) put(letter);
    } else {
        put(c);
    }
}

void Normalised::put(char32_t c) {
    const uint8_t combining = unicode::combining_class(c);
    disordered_ |= combining && combining < last_class_;
    last_class_ = combining;
    room(LONGEST);
    size_ = static_cast<size_t>(encode(&joined_[size_], c) - joined_.data());
    numeric_ += (unicode::bits(c) & unicode::NUMERIC) != 0;
    ++length_;
}

// Combining marks that follow each other go by their classes (The Unicode Standard, 3.11).
void Normalised::reorder(size_t begin) {
    std::vector<char32_t> characters;
    for (const char *at = &joined_[begin], *end = joined_.data() + size_; at < end;) characters.push_back(decode(at, end));
    const auto starts = [](char32_t c) { return unicode::combining_class(c) == 0; };
    for (auto first = characters.begin(); first != characters.end();) {
        first = std::find_if_not(first, characters.end(), starts);
        const auto last = std::find_if(first, characters.end(), starts);
        std::stable_sort(first, last, [](char32_t a, char32_t b) {
            return unicode::combining_class(a) < unicode::combining_class(b);
        });
        first = last;
    }
    char* out = &joined_[begin];
    for (char32_t c : characters) out = encode(out, c);
}

}  // namespace text
