// One pass builds the views of a text (lines, raw words, normalised words); the signals are counts
// over them. Words become numbers once, so that n-grams are compared as numbers.
#include "signals.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <unordered_map>

namespace {

constexpr double UNDEFINED = std::numeric_limits<double>::quiet_NaN();

// Python's str.isspace for ASCII: also the four separators 0x1c to 0x1f.
bool is_space(unsigned char c) { return (c >= 9 && c <= 13) || (c >= 28 && c <= 32); }
bool is_upper(unsigned char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(unsigned char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(unsigned char c) { return is_upper(c) || is_lower(c); }
bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
bool is_word(unsigned char c) { return is_letter(c) || is_digit(c) || c == '_'; }
bool is_punctuation(unsigned char c) {
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
           (c >= 123 && c <= 126);
}
char to_lower(unsigned char c) { return is_upper(c) ? static_cast<char>(c + 32) : static_cast<char>(c); }

// As Python's round(x, 8): the nearest decimal, judged on the exact binary value.
double rounded(double value) {
    if (std::isnan(value)) return value;
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.8f", value);
    return std::strtod(buffer, nullptr);
}

double share(double count, size_t total) { return total ? count / static_cast<double>(total) : UNDEFINED; }

// Lower case, punctuation gone, words separated by single spaces.
std::string normalise(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    bool gap = false;
    for (unsigned char c : text) {
        if (is_punctuation(c)) continue;
        if (is_space(c)) {
            gap = !out.empty();
        } else {
            if (gap) out.push_back(' ');
            gap = false;
            out.push_back(to_lower(c));
        }
    }
    return out;
}

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> words;
    size_t start = 0;
    while (start < text.size()) {
        size_t end = std::min(text.find(' ', start), text.size());
        words.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    return words;
}

size_t occurrences(std::string_view text, std::string_view needle) {
    size_t count = 0;
    for (size_t at = text.find(needle); at != text.npos; at = text.find(needle, at + needle.size())) ++count;
    return count;
}

std::string_view stripped_right(std::string_view text) {
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    for (size_t start = 0; start < text.size();) {
        size_t newline = text.find('\n', start);
        size_t end = newline == text.npos ? text.size() : newline + 1;
        lines.push_back(text.substr(start, end - start));
        start = end;
    }
    return lines;
}

struct RawWords {
    size_t total = 0, alphabetic = 0, capitals = 0, stops = 0;
};

// Matches of \w+|[^\w\s]+
RawWords raw_words(std::string_view text, const std::unordered_set<std::string>& stop_words) {
    RawWords counts;
    for (size_t at = 0; at < text.size();) {
        if (is_space(text[at])) {
            ++at;
            continue;
        }
        const bool word = is_word(text[at]);
        bool upper = false, lower = false;
        size_t end = at;
        for (; end < text.size() && !is_space(text[end]) && is_word(text[end]) == word; ++end) {
            upper |= is_upper(text[end]);
            lower |= is_lower(text[end]);
        }
        ++counts.total;
        counts.alphabetic += upper || lower;
        counts.capitals += upper && !lower;
        counts.stops += word && stop_words.contains(std::string(text.substr(at, end - at)));
        at = end;
    }
    return counts;
}

// Matches of \b[^.!?]+[.!?]*: from a word boundary to the next run of end marks.
size_t sentences(std::string_view text) {
    const auto is_end = [](char c) { return c == '.' || c == '!' || c == '?'; };
    size_t count = 0;
    for (size_t at = 0; at < text.size();) {
        const bool before = at > 0 && is_word(text[at - 1]);
        if (before == is_word(text[at]) || is_end(text[at])) {
            ++at;
            continue;
        }
        while (at < text.size() && !is_end(text[at])) ++at;
        while (at < text.size() && is_end(text[at])) ++at;
        ++count;
    }
    return count;
}

// The normalised words as numbers, equal for equal words, with their lengths.
struct Numbered {
    std::vector<uint32_t> ids;
    std::vector<size_t> counts;  // by id
    std::vector<size_t> lengths;
    size_t characters = 0;
};

Numbered number(const std::vector<std::string_view>& words) {
    Numbered out;
    std::unordered_map<std::string_view, uint32_t> known;
    for (std::string_view word : words) {
        auto [entry, is_new] = known.try_emplace(word, static_cast<uint32_t>(known.size()));
        if (is_new) out.counts.push_back(0);
        ++out.counts[entry->second];
        out.ids.push_back(entry->second);
        out.lengths.push_back(word.size());
        out.characters += word.size();
    }
    return out;
}

// Numbers the n-grams from the (n-1)-grams: pairs of (gram that begins here, word after it).
std::vector<uint32_t> longer(const std::vector<uint32_t>& grams, const std::vector<uint32_t>& ids, size_t n) {
    std::vector<uint32_t> out;
    if (ids.size() < n) return out;
    std::unordered_map<uint64_t, uint32_t> known;
    known.reserve(ids.size());
    for (size_t at = 0; at + n <= ids.size(); ++at) {
        const uint64_t key = (static_cast<uint64_t>(grams[at]) << 32) | ids[at + n - 1];
        out.push_back(known.try_emplace(key, static_cast<uint32_t>(known.size())).first->second);
    }
    return out;
}

std::vector<uint32_t> tally(const std::vector<uint32_t>& grams) {
    std::vector<uint32_t> counts;
    for (uint32_t gram : grams) {
        if (gram >= counts.size()) counts.resize(gram + 1);
        ++counts[gram];
    }
    return counts;
}

// Grams are numbered in the order in which they are first met, so the first maximum wins ties.
double top_ngram(const std::vector<uint32_t>& grams, const Numbered& words, size_t n) {
    const auto counts = tally(grams);
    if (counts.empty() || !words.characters) return 0.0;
    const auto top = std::max_element(counts.begin(), counts.end());
    if (*top <= 1) return 0.0;
    const auto first = std::find(grams.begin(), grams.end(), top - counts.begin()) - grams.begin();
    size_t length = 0;
    for (size_t i = 0; i < n; ++i) length += words.lengths[first + i];
    return static_cast<double>(length * *top) / static_cast<double>(words.characters);
}

double duplicate_ngrams(const std::vector<uint32_t>& grams, const Numbered& words, size_t n) {
    if (grams.empty() || !words.characters) return 0.0;
    const auto counts = tally(grams);
    size_t marked = 0, covered = 0;  // words before `covered` are counted already
    for (size_t at = 0; at < grams.size(); ++at) {
        if (counts[grams[at]] < 2) continue;
        for (size_t i = std::max(at, covered); i < at + n; ++i) marked += words.lengths[i];
        covered = at + n;
    }
    return static_cast<double>(marked) / static_cast<double>(words.characters);
}

double entropy(const Numbered& words) {
    if (words.ids.empty()) return UNDEFINED;
    long double sum = 0;  // the reference sums exactly
    for (size_t count : words.counts) {
        const double p = static_cast<double>(count) / static_cast<double>(words.ids.size());
        sum -= p * std::log(p);
    }
    return static_cast<double>(sum);
}

std::vector<std::vector<double>> line_signals(const std::vector<std::string_view>& lines) {
    std::vector<std::vector<double>> out(5);
    for (std::string_view line : lines) {
        const std::string_view end = stripped_right(line);
        const bool terminal = !end.empty() && std::string_view(".!?").find(end.back()) != end.npos;
        const std::string plain = normalise(line);
        const auto words = split(plain);
        out[0].push_back(terminal);
        out[1].push_back(static_cast<double>(words.size()));
        out[2].push_back(rounded(share(static_cast<double>(std::count_if(line.begin(), line.end(), is_upper)), line.size())));
        out[3].push_back(0.0);  // no bullet point is an ASCII character
        out[4].push_back(static_cast<double>(std::count(words.begin(), words.end(), "javascript")));
    }
    return out;
}

}  // namespace

Signals compute_signals(std::string_view text, const std::unordered_set<std::string>& stop_words) {
    const std::string plain = normalise(text);
    const auto split_words = split(plain);
    const Numbered words = number(split_words);
    const RawWords raw = raw_words(text, stop_words);
    const auto lines = lines_of(text);
    const auto ellipses = std::count_if(lines.begin(), lines.end(), [](std::string_view line) { return stripped_right(line).ends_with("..."); });
    const double symbols = static_cast<double>(occurrences(text, "#") + occurrences(text, "..."));
    const double brackets = static_cast<double>(std::count(text.begin(), text.end(), '{') + std::count(text.begin(), text.end(), '}'));
    const size_t total = words.ids.size();
    const double alphabetic = share(static_cast<double>(raw.alphabetic), raw.total);

    Signals out;
    out.document = {
        static_cast<double>(total),
        share(static_cast<double>(words.characters), total),
        share(symbols, raw.total),
        share(static_cast<double>(ellipses), lines.size()),
        1 - alphabetic,
        share(static_cast<double>(words.counts.size()), total),
        entropy(words),
        share(static_cast<double>(raw.capitals), raw.total),
        total ? share(static_cast<double>(raw.stops), raw.total) : 0.0,
        text.empty() ? 0.0 : brackets / static_cast<double>(text.size()),
        plain.empty() ? 0.0 : static_cast<double>(occurrences(plain, "lorem ipsum")) / static_cast<double>(plain.size()),
        static_cast<double>(sentences(text)),
    };
    std::vector<uint32_t> grams = words.ids;
    for (size_t n = 2; n <= 10; ++n) {
        grams = longer(grams, words.ids, n);
        out.document.push_back(n <= 4 ? top_ngram(grams, words, n) : duplicate_ngrams(grams, words, n));
    }
    for (double& value : out.document) value = rounded(value);
    out.lines = line_signals(lines);
    return out;
}
