// Words as spaCy's English tokenizer splits them, nearly: punctuation and contractions apart.
// openhearth/data/signals/tokens.py says the same in Python.
#pragma once

#include <vector>

#include "text.h"

namespace text {

// The tokens of one word, given its characters: calls `use` with the first character of each and the
// one after its last, in their order.
template <class Characters, class Use>
class Tokens {
public:
    Tokens(const Characters& characters, Use use) : text_(characters), use_(use) {}

    void split() {
        Part word{0, text_.size()};
        uint32_t before;
        do {
            before = word.size();
            open(word);
            close(word);
        } while (word.size() && word.size() != before);
        if (word.size()) {
            const uint32_t ending = contraction(word);
            inner({word.begin, word.end - ending});
            if (ending) inner({word.end - ending, word.end});
        }
        while (word.end < text_.size()) {  // what was closed: single characters and runs of points
            const uint32_t begin = word.end;
            word.end += 1;
            while (text_[begin] == '.' && word.end < text_.size() && text_[word.end] == '.') ++word.end;
            use_(begin, word.end);
        }
    }

private:
    struct Part {
        uint32_t begin, end;
        uint32_t size() const { return end - begin; }
    };

    // What is split off the beginning of a word: one character, or a run of points.
    void open(Part& word) {
        const uint32_t i = word.begin;
        uint32_t taken = 0;
        if (is(i, unicode::OPENS)) {
            taken = !(text_[i] == '+' && i + 1 < word.end && digit(i + 1));
        } else {
            while (i + taken < word.end && text_[i + taken] == '.') ++taken;
            if (taken < 2) taken = 0;
        }
        if (taken) use_(i, i + taken);
        word.begin += taken;
    }

    // What is split off its end: also a single point, after what is no abbreviation.
    void close(Part& word) {
        if (!word.size()) return;
        const uint32_t last = word.end - 1;
        if (is(last, unicode::CLOSES)) {
            word.end -= 1;
        } else if (text_[last] == '.') {
            uint32_t taken = 0;
            while (taken < word.size() && text_[last - taken] == '.') ++taken;
            if (taken == 1) taken = word.size() > 1 && ends_sentence(word, last);
            word.end -= taken;
        } else if (text_[last] == '%' || text_[last] == '+' || text_[last] == '$') {
            word.end -= word.size() > 1 && digit(last - 1);
        }
    }

    bool ends_sentence(Part word, uint32_t point) const {
        const char32_t c = text_[point - 1];
        if (digit(point - 1) || is(point - 1, unicode::LOWER | unicode::CLOSES)) return true;
        if (c == '%' || c == 0xB2 || c == '-' || c == '+') return true;
        return word.size() > 2 && is(point - 1, unicode::UPPER) && is(point - 2, unicode::UPPER);
    }

    // How many characters of a contraction the word ends with: n't, 's, 're, 've, 'll, 'd, 'm.
    uint32_t contraction(Part word) const {
        for (std::u32string_view ending : {U"n't", U"'s", U"'S", U"'re", U"'ve", U"'ll", U"'d", U"'m"}) {
            if (word.size() <= ending.size()) continue;
            uint32_t i = 0;
            while (i < ending.size() && same(text_[word.end - ending.size() + i], ending[i])) ++i;
            if (i == ending.size()) return i;
        }
        return 0;
    }

    static bool same(char32_t c, char32_t wanted) { return c == wanted || (wanted == '\'' && c == 0x2019); }

    // What stands between separators, and the separators.
    void inner(Part word) {
        uint32_t begin = word.begin;
        for (uint32_t i = word.begin; i < word.end;) {
            const uint32_t taken = is(i, unicode::WORD) ? 0 : separator(word, i);
            if (!taken) {
                ++i;
                continue;
            }
            if (begin < i) use_(begin, i);
            use_(i, i + taken);
            begin = i += taken;
        }
        if (begin < word.end) use_(begin, word.end);
    }

    // How many characters of a separator stand at `i`.
    uint32_t separator(Part word, uint32_t i) const {
        const char32_t c = text_[i];
        if (c == 0x2026) return 1;
        if (c == '.') {
            uint32_t points = 1;
            while (i + points < word.end && text_[i + points] == '.') ++points;
            if (points > 1) return points;
        }
        if (i == word.begin || i + 1 == word.end) return 0;
        const auto letter_at = [&](uint32_t k) { return k < word.end && is(k, unicode::ALPHA); };
        const bool after_number = digit(i - 1), after_letter = is(i - 1, unicode::ALPHA);
        const bool after_word = is(i - 1, unicode::WORD) && text_[i - 1] != '_';
        switch (c) {
            case '.':
                return is(i - 1, unicode::LOWER | unicode::QUOTE) && is(i + 1, unicode::UPPER | unicode::QUOTE);
            case ',':
                return after_letter && letter_at(i + 1);
            case ':': case '<': case '>': case '=': case '/': case '~': case 0x2013: case 0x2014:
                return after_word && letter_at(i + 1);
            case '+': case '*': case '^':
                return after_number && (digit(i + 1) || text_[i + 1] == '-');
            case '-':
                if (after_number && (digit(i + 1) || text_[i + 1] == '-')) return 1;
                if (!after_word) return 0;
                for (uint32_t run = 3; run; --run) {
                    if (hyphens(word, i, run) && letter_at(i + run)) return run;
                }
        }
        return 0;
    }

    bool hyphens(Part word, uint32_t i, uint32_t n) const {
        for (uint32_t k = i; k < i + n; ++k) {
            if (k >= word.end || text_[k] != '-') return false;
        }
        return true;
    }

    bool is(uint32_t i, int bits) const { return text_.bits(i) & bits; }
    bool digit(uint32_t i) const { return unicode::is_ascii_digit(text_[i]); }

    const Characters& text_;
    Use use_;
};

}  // namespace text
