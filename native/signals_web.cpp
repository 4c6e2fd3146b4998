// C4's, RefinedWeb's and Dolma's signals; openhearth/data/signals/c4.py, refinedweb.py and dolma.py
// have the definitions.
#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "signals.h"

namespace signals {

using text::Span;

namespace {

constexpr std::string_view STOP_WORDS[] = {"the", "be", "to", "of", "and", "that", "have", "with"};
const hash::Set STOP_HASHES{"the", "be", "to", "of", "and", "that", "have", "with"};

char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Whether a text has `lower`, a phrase in small letters, at its beginning, in letters of any case.
bool has(std::string_view text, std::string_view lower) {
    return text.size() >= lower.size() &&
           std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) { return a == lowered(b); });
}

// -- C4 ---------------------------------------------------------------------------------------

// A line without the citation marks at its end: [12], [edit], [citation needed].
std::string_view without_citations(std::string_view line) {
    while (line.ends_with(']')) {
        const size_t open = line.rfind('[');
        if (open == line.npos) break;
        const std::string_view mark = line.substr(open + 1, line.size() - open - 2);
        const bool number = std::all_of(mark.begin(), mark.end(), [](char c) { return c >= '0' && c <= '9'; });
        if (!number && mark != "edit" && mark != "citation needed") break;
        line = line.substr(0, open);
    }
    return line;
}

enum Phrase : uint8_t { LOREM_IPSUM = 1, JAVASCRIPT = 2, CURLY = 4, POLICY = 8 };

// Which phrases a line has. Each is looked for where a letter stands that few words have.
uint8_t phrases(std::string_view line) {
    struct Anchored {
        std::string_view phrase;
        size_t anchor;
        Phrase kind;
    };
    static constexpr Anchored WANTED[] = {
        {"lorem ipsum", 7, LOREM_IPSUM}, {"javascript", 0, JAVASCRIPT},  {"terms of use", 7, POLICY},
        {"privacy policy", 3, POLICY},   {"cookie policy", 3, POLICY},   {"uses cookies", 8, POLICY},
        {"use of cookies", 10, POLICY},  {"use cookies", 7, POLICY},
    };
    // For each byte the phrases, as bits, that have it as their anchor.
    static const auto ANCHORS = [] {
        std::array<uint8_t, 256> table{};
        for (size_t k = 0; k < std::size(WANTED); ++k) {
            const char c = WANTED[k].phrase[WANTED[k].anchor];
            table[static_cast<uint8_t>(c)] |= static_cast<uint8_t>(1 << k);
            table[static_cast<uint8_t>(c - 32)] |= static_cast<uint8_t>(1 << k);
        }
        return table;
    }();
    uint8_t found = text::count(line, '{') ? CURLY : 0;
    for (size_t i = 0; i < line.size(); ++i) {
        for (unsigned left = ANCHORS[static_cast<uint8_t>(line[i])]; left; left &= left - 1) {
            const auto& [phrase, anchor, kind] = WANTED[std::countr_zero(left)];
            if (i >= anchor && has(line.substr(i - anchor), phrase)) found |= kind;
        }
    }
    return found;
}

// A sentence begins at the first token, and at one that is no punctuation after one that ends one.
double sentences(std::span<const text::Token> tokens) {
    double found = !tokens.empty();
    bool ended = false;
    for (const auto& token : tokens) {
        if (token.length == 1 && (token.all & unicode::TERMINAL)) {
            ended = true;
        } else if (ended && !(token.all & unicode::PUNCTUATION)) {
            ++found;
            ended = false;
        }
    }
    return found;
}

}  // namespace

void c4(Views& views, Columns columns) {
    for (size_t i = 0; i < views.lines.size(); ++i) {
        const std::string_view line = views.bytes(views.stripped(i)), end = without_citations(line);
        uint32_t longest = 0;
        for (const auto& word : views.words_of(i)) longest = std::max(longest, word.length);
        const bool terminal = !end.empty() && std::string_view(".?!\"'").find(end.back()) != end.npos;
        const uint8_t found = phrases(line);
        const double values[] = {
            static_cast<double>(longest),
            static_cast<double>(terminal && !end.ends_with("...")),
            static_cast<double>(views.words_of(i).size()),
            static_cast<double>((found & LOREM_IPSUM) != 0),
            static_cast<double>((found & JAVASCRIPT) != 0),
            static_cast<double>((found & CURLY) != 0),
            static_cast<double>((found & POLICY) != 0),
            sentences(views.tokens_of(i)),
        };
        for (size_t k = 0; k < std::size(values); ++k) columns[k].push_back(values[k]);
    }
}

namespace {

// -- RefinedWeb -------------------------------------------------------------------------------

constexpr std::string_view COUNTED[] = {"likes", "shares", "comments", "retweets", "reposts", "quotes", "bookmarks",
                                        "upvotes", "downvotes", "downloads", "views", "followers"};

// Whether a word begins with a letter or digit: the others are punctuation.
bool is_counted(std::string_view text, const text::Word& word) {
    if (word.all & unicode::ALPHA) return true;
    const char* at = &text[word.begin];
    const char32_t first = text::decode(at, text.data() + word.end);
    return (unicode::bits(first) & unicode::WORD) && first != '_';
}

// ^\W*\d(?:,|\.|\d)*[kmb]?\s+(?:likes|shares|…)\W*$ of a line in small letters.
bool is_counter(std::string_view line) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto is_word = [](char32_t c) { return (unicode::bits(c) & unicode::WORD) != 0; };
    const char *at = line.data(), *const end = at + line.size();
    for (const char* next = at; at < end; at = next) {
        if (is_word(text::decode(next, end))) break;
    }
    if (at == end || !digit(*at)) return false;
    while (at < end && (digit(*at) || *at == ',' || *at == '.')) ++at;
    if (at < end && (lowered(*at) == 'k' || lowered(*at) == 'm' || lowered(*at) == 'b')) ++at;
    const char* word = at;
    for (const char* next = at; word < end; word = next) {
        if (!(unicode::bits(text::decode(next, end)) & unicode::SPACE)) break;
    }
    if (word == at) return false;
    const std::string_view rest(word, static_cast<size_t>(end - word));
    return std::any_of(std::begin(COUNTED), std::end(COUNTED), [&](std::string_view wanted) {
        if (!has(rest, wanted)) return false;
        const char* after = word + wanted.size();
        while (after < end) {
            if (is_word(text::decode(after, end))) return false;
        }
        return true;
    });
}

bool is_banned(std::string_view line) {
    if (line.size() < 7) return false;
    if ((line.size() == 13 && has(line, "items in cart")) || (line.size() == 7 && has(line, "sign-in"))) return true;
    return has(line, "read more") && text::length(line) == 12;
}

void refinedweb_lines(const Views& views, Columns columns) {
    for (size_t i = 0; i < views.lines.size(); ++i) {
        double counted = 0;
        for (const auto& word : views.words_of(i)) counted += is_counted(views.text, word);
        const auto words = static_cast<double>(views.words_of(i).size());
        const uint32_t length = views.lines[i].length, digits = views.line_digits[i];
        const std::string_view line = views.bytes(views.stripped(i));
        columns[0].push_back(rounded(share_or_zero(views.line_uppers[i], length)));
        columns[1].push_back(rounded(share_or_zero(digits, length)));
        columns[2].push_back(digits && is_counter(line));
        columns[3].push_back(length ? words : UNDEFINED);
        columns[4].push_back(is_banned(line));
        columns[5].push_back(counted);
    }
}

// The share of parts that have an equal in the text, and that of their characters.
void duplicated(Views& views, Row& row) {
    const Duplicates found = duplicates(views.parts, views);
    row.add({share(found.all, found.parts), share(found.all_characters, found.characters)});
}

// A part of a text without the spaces at its ends.
Span stripped(const Views& views, Span part) {
    const auto ends_before = [](const text::Word& word, uint32_t place) { return word.end <= place; };
    const auto first = std::lower_bound(views.words.begin(), views.words.end(), part.begin, ends_before);
    auto last = std::lower_bound(first, views.words.end(), part.end, ends_before);
    if (last != views.words.end() && last->begin < part.end) ++last;
    return first == last ? Span{0, 0} : Span{first->begin, (last - 1)->end};
}

}  // namespace

void refinedweb(Views& views, const Asked& asked, Row row, Columns columns) {
    double characters = 0, counted = 0, plain = 0, stops = 0, lines = 0, bullets = 0, ellipses = 0;
    for (const auto& word : views.words) {
        characters += word.length;
        counted += is_counted(views.text, word);
        plain += !(word.any & unicode::ALPHA);
        stops += STOP_HASHES.contains(word.hash);
        if (word.size() > 4 || !(word.any & unicode::UPPER)) continue;
        const std::string_view bytes = views.bytes(word);
        for (auto wanted : STOP_WORDS) stops += bytes.size() == wanted.size() && has(bytes, wanted);
    }
    for (size_t i = 0; i < views.lines.size(); ++i) {
        const std::string_view line = views.bytes(views.stripped(i));
        if (line.empty()) continue;
        ++lines;
        bullets += line[0] == '*' || line[0] == '-' || line.starts_with("\u25cf") || line.starts_with("\u2022");
        ellipses += line.ends_with("...") || line.ends_with(". . .") || line.ends_with("\u2026");
    }
    const std::string_view text = views.text;
    const size_t symbols = text::count(text, '#') + text::count(text, "...") + text::count(text, ". . .") +
                           text::count(text, "\u2026");
    const double words = static_cast<double>(views.words.size());
    row.add({counted, share(characters, words), share(static_cast<double>(symbols), words),
                           share(bullets, lines), share(ellipses, lines), share(plain, words), stops});
    views.parts.clear();
    for (size_t i = 0; i < views.lines.size(); ++i) {
        if (!views.words_of(i).empty()) views.parts.push_back(views.stripped_line(i));
    }
    duplicated(views, row);
    split(views, {0, static_cast<uint32_t>(text.size())}, 2, false, views.spans);
    views.parts.clear();
    for (Span paragraph : views.spans) {
        const Span inner = stripped(views, paragraph);
        if (inner.size()) views.parts.push_back(views.part(inner));
    }
    duplicated(views, row);
    if (asked.refinedweb_lines) refinedweb_lines(views, columns);
}

// -- Dolma ------------------------------------------------------------------------------------

namespace {

double median_length(const std::vector<text::Word>& words, const std::array<uint32_t, 64>& lengths) {
    if (words.empty()) return UNDEFINED;
    // The length of the word that is `rank`-th by length.
    const auto at = [&](size_t rank) -> double {
        for (size_t length = 0; length + 1 < lengths.size(); ++length) {
            if (rank < lengths[length]) return static_cast<double>(length);
            rank -= lengths[length];
        }
        std::vector<uint32_t> longest;
        for (const auto& word : words) {
            if (word.length + 1 >= lengths.size()) longest.push_back(word.length);
        }
        std::sort(longest.begin(), longest.end());
        return longest[rank];
    };
    return (at((words.size() - 1) / 2) + at(words.size() / 2)) / 2;
}

}  // namespace

void dolma(Views& views, const Asked& asked, Row row) {
    const auto& words = views.words;
    double characters = 0, symbols = 0, lettered = 0, required = 0, bullets = 0, ellipses = 0;
    std::array<uint32_t, 64> lengths{};  // how many words have each length, the last of them that or a longer one
    for (const auto& word : words) {
        characters += word.length;
        ++lengths[std::min<size_t>(word.length, lengths.size() - 1)];
        lettered += (word.any & unicode::ALPHA) != 0;
        required += STOP_HASHES.contains(word.hash);
        if (!(word.any & unicode::SYMBOL)) continue;
        const std::string_view bytes = views.bytes(word);
        symbols += bytes.find('#') != bytes.npos || bytes.find("\u2026") != bytes.npos;
    }
    const double count = static_cast<double>(words.size());
    // As str.split("\n") has it: after a last newline comes an empty line.
    const auto end = static_cast<uint32_t>(views.text.size());
    views.parts = views.lines;
    if (!end || views.text.ends_with('\n')) views.parts.push_back(views.part({end, end}));
    for (const Part& part : views.parts) {
        const std::string_view line = views.bytes(part);
        bullets += line.starts_with('*') || line.starts_with('-');
        ellipses += line.ends_with("\u2026");
    }
    const Duplicates found = duplicates(views.parts, views);
    row.add({
        count, median_length(words, lengths), share(symbols, count), share(lettered, count), required, bullets / found.parts,
        ellipses / found.parts, found.all / found.parts, share(found.all_characters, characters),
    });
    if (!asked.dolma_ngrams) return;
    auto& repeats = views.repeats;
    views.start_repeats(words);
    // Characters of the words before each, and the sums of these, so that all n-grams are one difference.
    auto& sums = views.sums;
    sums.assign(1, 0);
    std::vector<double> totals(1, 0);
    for (const auto& word : words) {
        sums.push_back(sums.back() + word.length);
        totals.push_back(totals.back() + sums.back());
    }
    for (size_t n = 2; n <= 10; ++n) {
        if (n > 2) repeats.next();
        const auto length = [&](size_t at) { return static_cast<double>(sums[at + n] - sums[at]); };
        if (words.size() < n) {
            row.add(UNDEFINED);
        } else if (n <= 4) {
            const auto* top = repeats.top();
            row.add((top ? repeats.count(top->number) * length(top->at) : length(0)) / characters);
        } else {
            const double all = totals[words.size()] - totals[n - 1] - totals[words.size() - n];
            double repeated = 0;
            for (const auto& gram : repeats.occurrences()) repeated += length(gram.at);
            row.add(repeated / all);
        }
    }
}

}  // namespace signals
