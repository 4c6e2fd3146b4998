// What Python's `str` and `re` know of characters, from the tables that unicode_tables.py writes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace unicode {

#include "unicode_tables.inc"

// The properties of a character, as in unicode_tables.py.
enum Bits : uint16_t {
    WORD = 1 << 0,         // \w
    SPACE = 1 << 1,        // str.isspace, \s
    UPPER = 1 << 2,        // str.isupper
    LOWER = 1 << 3,        // str.islower, or title case
    NUMERIC = 1 << 4,      // str.isnumeric
    ALPHA = 1 << 5,        // str.isalpha
    CASED = 1 << 6,        // seen by the rule of the final sigma
    IGNORABLE = 1 << 7,    // looked through by it
    FOLDS = 1 << 8,        // not itself in lower case, decomposed; or a combining mark
    SYMBOL = 1 << 9,       // a word of these alone is no word to Gopher's rules
    TERMINAL = 1 << 10,    // ends a sentence
    OPENS = 1 << 11,       // split off the beginning of a word
    CLOSES = 1 << 12,      // split off its end
    QUOTE = 1 << 13,       // a quotation mark
    PUNCTUATION = 1 << 14, // of a category P
    LETTER = 1 << 15,      // [a-zA-Z]
};

inline uint16_t bits(uint8_t c) { return BITS_PAGES[c]; }
inline uint16_t bits(char32_t c) {
    if (c < 128) return BITS_PAGES[c];
    return BITS_PAGES[BITS_INDEX[c >> 8] * 256u + (c & 255)];
}

inline uint8_t combining_class(char32_t c) { return CLASSES_PAGES[CLASSES_INDEX[c >> 8] * 256u + (c & 255)]; }

// Lower case, canonically decomposed; empty if that is the character itself. Not for Hangul.
inline std::span<const uint32_t> folded(char32_t c) {
    const uint32_t* entry = FOLDED_POOL + FOLDED_PAGES[FOLDED_INDEX[c >> 8] * 256u + (c & 255)];
    return {entry + 1, entry[0]};
}

// str.isdigit, of a character that is NUMERIC: not so of fractions and of numbers that are words.
inline bool is_digit(char32_t c) {
    if (c < 128) return true;
    return (std::upper_bound(std::begin(NUMBERS), std::end(NUMBERS), c) - std::begin(NUMBERS)) % 2 == 0;
}

constexpr char32_t SIGMA = 0x3A3, FINAL_SIGMA = 0x3C2, SMALL_SIGMA = 0x3C3;

inline bool is_hangul(char32_t c) { return c >= 0xAC00 && c < 0xD7A4; }

// A Hangul syllable as its two or three letters (The Unicode Standard, 3.12).
inline size_t hangul(char32_t c, char32_t (&letters)[3]) {
    const char32_t index = c - 0xAC00;
    letters[0] = 0x1100 + index / 588;
    letters[1] = 0x1161 + index % 588 / 28;
    letters[2] = 0x11A7 + index % 28;
    return index % 28 ? 3 : 2;
}

// ASCII needs no tables.
inline bool is_ascii_digit(char32_t c) { return c >= '0' && c <= '9'; }
inline bool is_ascii_punctuation(char32_t c) {
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
}

}  // namespace unicode
