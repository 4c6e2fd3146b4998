#include "pii.h"

#include <algorithm>

namespace pii {

namespace {

constexpr size_t NONE = 0;  // no match ends at the beginning

class Finder {
public:
    explicit Finder(std::string_view text) : text_(text) {}

    bool digit(size_t i) const { return i < text_.size() && unicode::is_ascii_digit(byte(i)); }
    bool letter(size_t i) const { return i < text_.size() && (byte(i) | 32) >= 'a' && (byte(i) | 32) <= 'z'; }
    bool word(size_t i) const { return digit(i) || letter(i) || at(i, '_'); }
    bool at(size_t i, char c) const { return i < text_.size() && text_[i] == c; }
    bool any(size_t i, std::string_view set) const {
        return i < text_.size() && set.find(text_[i]) != set.npos;
    }
    bool local(size_t i) const { return word(i) || any(i, ".%+-"); }
    bool label(size_t i) const { return digit(i) || letter(i) || at(i, '-'); }
    // Not after a word character or a point.
    bool begins(size_t i) const { return i == 0 || !(word(i - 1) || at(i - 1, '.')); }

    // The next [A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+ that begins at `from` or later.
    Match next_email(size_t from) const {
        for (size_t at = text_.find('@', from); at != text_.npos; at = text_.find('@', at + 1)) {
            size_t begin = at, end = at + 1;
            while (begin > from && local(begin - 1)) --begin;
            while (label(end)) ++end;
            const size_t host = end;
            while (end > at + 1 && this->at(end, '.') && label(end + 1)) {
                for (++end; label(end);) ++end;
            }
            if (begin < at && end > host) return {begin, end, EMAIL};
        }
        return {text_.size(), text_.size(), EMAIL};
    }

    // A number from 0 to 255 without leading zeros.
    size_t octet(size_t i) const {
        size_t end = i;
        int value = 0;
        for (; end < i + 3 && digit(end); ++end) value = 10 * value + (text_[end] - '0');
        if (end == i || (at(i, '0') && end > i + 1)) return at(i, '0') ? i + 1 : NONE;
        return value > 255 ? i + 2 : end;
    }

    size_t ip(size_t i) const {
        if (!begins(i)) return NONE;
        size_t end = i;
        for (int part = 0; part < 4; ++part) {
            if (part && !at(end++, '.')) return NONE;
            end = octet(end);
            if (end == NONE) return NONE;
        }
        return word(end) || (at(end, '.') && word(end + 1)) ? NONE : end;
    }

    // (?<![\w.])\(?\d{3}\)?[-. ]?\d{3}[-. ]?\d{4}(?!\w)
    size_t phone(size_t i) const {
        if (!begins(i)) return NONE;
        size_t end = i + at(i, '(');
        for (size_t digits : {3, 3, 4}) {
            for (size_t k = 0; k < digits; ++k) {
                if (!digit(end++)) return NONE;
            }
            if (digits == 4) break;
            if (end == i + 3 + at(i, '(')) end += at(end, ')');
            end += any(end, "-. ");
        }
        return word(end) ? NONE : end;
    }

private:
    uint8_t byte(size_t i) const { return static_cast<uint8_t>(text_[i]); }
    std::string_view text_;
};

}  // namespace

std::vector<Match> find(std::string_view text, const std::vector<text::Word>& words) {
    std::vector<Match> out;
    const Finder finder(text);
    Match mail = finder.next_email(0);
    size_t done = 0;
    const auto add = [&](Match match) {
        out.push_back(match);
        done = match.end;
        if (mail.begin < done) mail = finder.next_email(done);
    };
    for (const text::Word& word : words) {
        while (mail.begin < word.begin) add(mail);
        if (!(word.any & unicode::NUMERIC)) continue;
        // Numbers begin in a word with digits.
        for (size_t i = std::max<size_t>(done, word.begin); i < word.end;) {
            if (i == mail.begin) {
                add(mail);
            } else if (const size_t ip = finder.digit(i) ? finder.ip(i) : NONE; ip != NONE) {
                add({i, ip, IP});
            } else if (const size_t phone = finder.digit(i) || text[i] == '(' ? finder.phone(i) : NONE; phone != NONE) {
                add({i, phone, PHONE});
            }
            i = std::max(i + 1, done);
        }
    }
    while (mail.begin < text.size()) add(mail);
    return out;
}

}  // namespace pii
