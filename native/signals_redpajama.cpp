// RedPajama-V2's signals; openhearth/data/signals/redpajama.py has the definitions.
#include <algorithm>
#include <cmath>

#include "signals.h"

namespace signals {

namespace {

bool is_end_mark(char c) { return c == '.' || c == '!' || c == '?'; }

// Matches of \b[^.!?]+[.!?]*: from a word boundary to the next run of end marks.
size_t sentences(const Views& views) {
    const std::string_view text = views.text;
    size_t found = 0;
    bool before = false;  // whether the last character belongs to a word
    auto next = views.words.begin();
    const char *at = text.data(), *const end = at + text.size();
    while (at < end) {
        const char* after = at;
        const bool word = unicode::bits(text::decode(after, end)) & unicode::WORD;
        if (word == before || is_end_mark(*at)) {
            before = word;
            at = after;
            continue;
        }
        ++found;
        // To the next end mark, by way of words that have one.
        for (; next != views.words.end(); ++next) {
            const char* const last = text.data() + next->end;
            if (last <= at || !(next->any & unicode::TERMINAL)) continue;
            at = std::find_if(std::max(at, text.data() + next->begin), last, is_end_mark);
            if (at < last) break;
        }
        if (next == views.words.end()) break;
        while (at < end && is_end_mark(*at)) ++at;
        before = false;
    }
    return found;
}

// "lorem ipsum" with `i` and `s` as re.IGNORECASE takes them (also dotless i and long s), counted
// where the plain form occurs at all.
size_t lorem_ipsum(std::string_view text) {
    constexpr std::string_view WANTED = "lorem ipsum";
    if (text.find(WANTED) == text.npos) return 0;
    const auto length_at = [&](size_t at) -> size_t {
        size_t end = at;
        for (char c : WANTED) {
            const std::string_view rest = text.substr(end);
            if (rest.starts_with(c)) {
                end += 1;
            } else if ((c == 'i' && rest.starts_with("\u0131")) || (c == 's' && rest.starts_with("\u017f"))) {
                end += 2;
            } else {
                return 0;
            }
        }
        return end - at;
    };
    size_t found = 0;
    for (size_t at = text.find('l'); at != text.npos;) {
        const size_t length = length_at(at);
        found += length > 0;
        at = text.find('l', at + std::max<size_t>(length, 1));
    }
    return found;
}

size_t bad_words(const text::Normalised& normalised, const Lists& lists) {
    size_t found = 0;
    for (size_t n = 1; n < lists.bad_words.size(); ++n) {
        const auto& entries = lists.bad_words[n];
        if (entries.empty()) continue;
        for (size_t i = 0; i + n <= normalised.size(); ++i) {
            found += entries.contains(n == 1 ? normalised.hashes()[i] : hash::quick(normalised.ngram(i, n)));
        }
    }
    return found;
}

// Matches of \w+|[^\w\s]+, counted; and the weights of their features.
class RawWords {
public:
    RawWords(const Settings& settings, const Lists* lists)
        : weights_(settings.importance), buckets_(settings.domains ? weights_.size() / settings.domains : 0),
          stop_words_(lists && !lists->stop_words.empty() ? &lists->stop_words : nullptr),
          importance(settings.domains, 0.0) {}

    void add(Views& views, const text::Word& word) {
        if ((word.all & unicode::WORD) || !(word.any & unicode::WORD)) {
            add(views.bytes(word), word.any, word.hash);  // as most are
            return;
        }
        views.decode(views.text, word, [&](const auto& characters) {
            for (uint32_t i = 0; i < characters.size();) {
                const uint32_t begin = i;
                const uint16_t first = characters.bits(i);
                uint16_t any = 0;
                for (; i < characters.size(); ++i) {
                    const uint16_t bits = characters.bits(i);
                    if ((bits ^ first) & unicode::WORD) break;
                    any |= bits;
                }
                const text::Span span{word.begin + characters.byte(begin), word.begin + characters.byte(i)};
                add(views.bytes(span), any, stop_words_ ? hash::quick(views.bytes(span)) : 0);
            }
        });
    }

private:
    void add(std::string_view bytes, uint16_t any, uint64_t hash) {
        lettered += (any & unicode::LETTER) != 0;
        capitals += (any & unicode::UPPER) && !(any & unicode::LOWER);
        if (stop_words_) stops += stop_words_->contains(hash);
        if (buckets_) {
            const uint64_t feature = hash::xxh64(bytes);
            weigh(feature);
            if (total) weigh(hash::pair(last_, feature));
            last_ = feature;
        }
        ++total;
    }

    void weigh(uint64_t feature) {
        const double* weights = &weights_[feature % buckets_ * importance.size()];
        for (size_t d = 0; d < importance.size(); ++d) importance[d] += weights[d];
    }

    const std::vector<double>& weights_;
    size_t buckets_;
    const hash::Set* stop_words_;
    uint64_t last_ = 0;

public:
    std::vector<double> importance;
    uint32_t total = 0, lettered = 0, capitals = 0, stops = 0;
};

// The reference sums in the order in which the words are first met; so does this.
double entropy(const std::vector<uint32_t>& counts, double total) {
    if (!total) return UNDEFINED;
    double sum = 0;
    for (uint32_t count : counts) sum += -static_cast<double>(count) / total * std::log(count / total);
    return sum;
}

double top_ngram(const Repeats& repeats, const std::vector<uint32_t>& lengths, double characters) {
    const auto* top = repeats.top();
    if (!top) return 0.0;
    double length = 0;
    for (size_t i = 0; i < repeats.n(); ++i) length += lengths[top->at + i];
    return length * repeats.count(top->number) / characters;
}

double duplicate_ngrams(const Repeats& repeats, const std::vector<uint32_t>& lengths, double characters) {
    double marked = 0;
    size_t covered = 0;  // words before this one are counted already
    for (const auto& gram : repeats.occurrences()) {
        const size_t end = gram.at + repeats.n();
        for (size_t i = std::max<size_t>(gram.at, covered); i < end; ++i) marked += lengths[i];
        covered = end;
    }
    return share_or_zero(marked, characters);
}

bool starts_with_bullet(std::string_view line) {
    constexpr std::string_view BULLETS[] = {"\u2022", "\u2023", "\u25b6", "\u25c0", "\u25e6",
                                            "\u25a0", "\u25a1", "\u25aa", "\u25ab", "\u2013"};
    return !line.empty() && (line[0] & 0x80) &&
           std::any_of(std::begin(BULLETS), std::end(BULLETS), [&](auto bullet) { return line.starts_with(bullet); });
}

void line_signals(const Views& views, Columns columns) {
    static const uint64_t JAVASCRIPT = hash::quick("javascript");
    const auto& normalised = views.normalised;
    uint32_t before = 0;  // characters of earlier lines
    for (size_t i = 0; i < views.lines.size(); ++i) {
        const std::string_view inner = views.bytes(views.stripped(i));
        const uint32_t first = views.line_normalised[i], last = views.line_normalised[i + 1];
        uint32_t javascript = 0, characters = last > first ? last - first - 1 : 0;
        for (uint32_t w = first; w < last; ++w) {
            javascript += normalised.hashes()[w] == JAVASCRIPT;
            characters += normalised.lengths()[w];
        }
        columns[0].push_back(!inner.empty() && (is_end_mark(inner.back()) || inner.ends_with("\u201d")));
        columns[1].push_back(javascript);
        columns[2].push_back(last - first);
        columns[3].push_back(rounded(share_or_zero(views.line_normalised_numerics[i], characters)));
        columns[4].push_back(starts_with_bullet(inner));
        columns[5].push_back(rounded(static_cast<double>(views.line_uppers[i]) / (views.line_ends[i] - before)));
        before = views.line_ends[i];
    }
}

}  // namespace

void redpajama(Views& views, const Asked& asked, const Settings& settings, int language, Row row, Row importance, Columns lines) {
    const auto& normalised = views.normalised;
    const auto& lengths = normalised.lengths();
    const double words = static_cast<double>(normalised.size()), characters = normalised.characters();
    const Lists* lists = language < 0 ? nullptr : &settings.languages[static_cast<size_t>(language)];
    if (asked.redpajama_words || asked.importance) {
        RawWords raw(settings, lists);
        for (const auto& word : views.words) raw.add(views, word);
        const std::string_view text = views.text;
        const size_t curly = text::count(text, '{') + text::count(text, '}');
        const size_t symbols = text::count(text, '#') + text::count(text, "...") + text::count(text, "\u2026");
        double ellipses = 0;
        for (size_t i = 0; i < views.lines.size(); ++i) {
            const std::string_view line = views.bytes(views.stripped(i));
            ellipses += line.ends_with("...") || line.ends_with("\u2026");
        }
        row.add({
            share_or_zero(static_cast<double>(curly), views.length),
            lists ? static_cast<double>(bad_words(normalised, *lists)) : 0.0,
            share_or_zero(static_cast<double>(lorem_ipsum(normalised.joined())), words ? characters + words - 1 : 0),
            words ? share_or_zero(raw.stops, raw.total) : 0.0,
            share(raw.capitals, raw.total),
            share(ellipses, static_cast<double>(views.lines.size())),
            1.0 - share(raw.lettered, raw.total),
            share(static_cast<double>(views.word_counts.size()), words),
            share(characters, words),
            static_cast<double>(sentences(views)),
            share(static_cast<double>(symbols), raw.total),
            entropy(views.word_counts, words),
            words,
        });
        for (double sum : raw.importance) importance.add(views.length ? sum : UNDEFINED);
    } else {
        row.skip(13);
    }
    if (asked.redpajama_ngrams) {
        auto& repeats = views.repeats;
        repeats.start(views.word_ids, views.word_counts);
        for (size_t n = 2; n <= 10; ++n) {
            if (n > 2) repeats.next();
            row.add(n <= 4 ? top_ngram(repeats, lengths, characters) : duplicate_ngrams(repeats, lengths, characters));
        }
    }
    if (asked.redpajama_lines) line_signals(views, lines);
}

}  // namespace signals
