// A text in UTF-8, its words between spaces, and what becomes of them when they are normalised.
//
// Places are bytes. ASCII words, nearly all in most texts, are read byte by byte; others are decoded
// one at a time, so that the same templates serve both.
#pragma once

#include <string_view>
#include <vector>

#include "hash.h"
#include "unicode.h"

namespace text {

// Bytes [begin, end) of a text.
struct Span {
    uint32_t begin, end;
    uint32_t size() const { return end - begin; }
};

// A run of characters that are no spaces: what str.split() gives.
struct Word : Span {
    uint32_t length;    // in characters
    uint16_t any, all;  // the properties that any of its characters has, and those that all have
    uint64_t hash;      // of its bytes

    bool is_ascii() const { return length == size(); }
    // Nothing but small ASCII letters, as most words: normalising and splitting leave them as they are.
    bool is_plain() const { return (all & unicode::LETTER) && !(any & unicode::UPPER); }
};

// A token of a word: a part of it.
struct Token : Span {
    uint32_t length;
    uint16_t any, all;
    uint64_t hash;
};

inline std::string_view part(std::string_view text, Span span) { return text.substr(span.begin, span.size()); }

// How many characters there are: every byte but those that go on with one.
inline uint32_t length(std::string_view bytes) {
    uint32_t found = 0;
    for (char byte : bytes) found += (byte & 0xC0) != 0x80;
    return found;
}

// How often a byte occurs.
inline size_t count(std::string_view bytes, char wanted) {
    size_t found = 0;
    for (size_t i = 0; i < bytes.size();) {
        uint8_t some = 0;  // few enough for its eight bits, so that the compiler can count many at once
        for (const size_t end = std::min(bytes.size(), i + 255); i < end; ++i) some += bytes[i] == wanted;
        found += some;
    }
    return found;
}

// str.count: how often something occurs, without overlaps.
inline size_t count(std::string_view bytes, std::string_view wanted) {
    size_t found = 0;
    for (size_t at = bytes.find(wanted); at != bytes.npos; at = bytes.find(wanted, at + wanted.size())) ++found;
    return found;
}

// The character at `at`, which is moved on. One that the end cuts short is read as far as it goes.
inline char32_t decode(const char*& at, const char* end) {
    const uint8_t first = static_cast<uint8_t>(*at++);
    if (first < 0x80) return first;
    const int more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    char32_t c = first & (0x3F >> more);
    for (int i = 0; i < more && at < end; ++i) c = c << 6 | (static_cast<uint8_t>(*at++) & 63);
    return c < 0x110000 ? c : 0xFFFD;
}

// The characters of an ASCII word.
class Narrow {
public:
    explicit Narrow(std::string_view bytes) : bytes_(bytes) {}
    uint32_t size() const { return static_cast<uint32_t>(bytes_.size()); }
    char32_t operator[](size_t i) const { return static_cast<uint8_t>(bytes_[i]); }
    uint16_t bits(size_t i) const { return unicode::bits(static_cast<uint8_t>(bytes_[i])); }
    uint32_t byte(size_t i) const { return static_cast<uint32_t>(i); }  // where character `i` begins

private:
    std::string_view bytes_;
};

// The characters of any word, decoded.
class Wide {
public:
    void read(std::string_view bytes) {
        characters_.clear();
        bytes_.clear();
        for (const char *at = bytes.data(), *end = at + bytes.size(); at < end;) {
            bytes_.push_back(static_cast<uint32_t>(at - bytes.data()));
            characters_.push_back(decode(at, end));
        }
        bytes_.push_back(static_cast<uint32_t>(bytes.size()));
    }
    uint32_t size() const { return static_cast<uint32_t>(characters_.size()); }
    char32_t operator[](size_t i) const { return characters_[i]; }
    uint16_t bits(size_t i) const { return unicode::bits(characters_[i]); }
    uint32_t byte(size_t i) const { return bytes_[i]; }

private:
    std::vector<char32_t> characters_;
    std::vector<uint32_t> bytes_;
};

// Calls `use` with the characters of a word.
class Decoder {
public:
    template <class Use>
    void operator()(std::string_view text, const Word& word, Use&& use) {
        if (word.is_ascii()) {
            use(Narrow(part(text, word)));
        } else {
            wide_.read(part(text, word));
            use(static_cast<const Wide&>(wide_));
        }
    }

private:
    Wide wide_;
};

// How many characters of a word have a property.
inline uint32_t count(std::string_view text, const Word& word, uint16_t property) {
    if (!(word.any & property)) return 0;
    uint32_t found = 0;
    for (const char *at = text.data() + word.begin, *end = text.data() + word.end; at < end;) {
        found += (unicode::bits(decode(at, end)) & property) != 0;
    }
    return found;
}

// How many of them are str.isdigit.
inline uint32_t digits(std::string_view text, const Word& word) {
    if (!(word.any & unicode::NUMERIC)) return 0;
    uint32_t found = 0;
    for (const char *at = text.data() + word.begin, *end = text.data() + word.end; at < end;) {
        const char32_t c = decode(at, end);
        found += (unicode::bits(c) & unicode::NUMERIC) && unicode::is_digit(c);
    }
    return found;
}

// Words in lower case, decomposed, without ASCII punctuation; joined by single spaces.
class Normalised {
public:
    void clear();
    // Adds what becomes of a word, if anything is left of it.
    void add(std::string_view text, const Word& word, Decoder& decode);

    std::string_view joined() const { return {joined_.data(), size_}; }
    size_t size() const { return lengths_.size(); }
    // The words from `i` on, `n` of them, with the spaces between.
    std::string_view ngram(size_t i, size_t n) const {
        const size_t begin = i ? ends_[i - 1] + 1 : 0;
        return {joined_.data() + begin, ends_[i + n - 1] - begin};
    }
    const std::vector<uint32_t>& lengths() const { return lengths_; }  // of the words, in characters
    const std::vector<uint64_t>& hashes() const { return hashes_; }    // of the words
    uint32_t characters() const { return characters_; }                 // of all words, spaces left out
    uint32_t numeric() const { return numeric_; }                       // characters that are str.isnumeric

private:
    template <class Characters>
    void fold(const Characters& word);
    template <class Characters>
    void fold(const Characters& word, uint32_t i);
    void put(char32_t c);
    void reorder(size_t begin);
    void room(size_t bytes) {
        if (size_ + bytes > joined_.size()) joined_.resize(2 * (size_ + bytes));
    }

    std::vector<char> joined_;  // larger than what it holds
    size_t size_ = 0;
    std::vector<uint32_t> ends_, lengths_;
    std::vector<uint64_t> hashes_;
    uint32_t characters_ = 0, numeric_ = 0;
    uint32_t length_ = 0;      // of the word being added
    uint8_t last_class_ = 0;   // of its last character
    bool disordered_ = false;  // its combining marks are not in canonical order
};

}  // namespace text
