// Gopher's and FineWeb's signals as datatrove defines them; openhearth/data/signals/gopher.py and
// fineweb.py have the definitions.
#include <algorithm>

#include "signals.h"

namespace signals {

using text::Span;

namespace {

const hash::Set STOP_WORDS{"the", "be", "to", "of", "and", "that", "have", "with"};

// Characters in n-grams that occurred before, looked for from left to right, each hit skipped whole.
double repeated_characters(const Repeats& repeats, const std::vector<text::Token>& tokens, std::vector<uint32_t>& seen) {
    uint32_t characters = 0, next = 0;
    seen.clear();
    for (const auto& gram : repeats.occurrences()) {
        if (gram.at < next) continue;
        if (gram.number >= seen.size()) seen.resize(gram.number + 1, 0);
        if (!seen[gram.number]++) continue;
        for (size_t i = 0; i < repeats.n(); ++i) characters += tokens[gram.at + i].length;
        next = gram.at + static_cast<uint32_t>(repeats.n());
    }
    return characters;
}

// Characters of the n-gram that occurs most often, spaces between, times its count.
double top_characters(const Repeats& repeats, const std::vector<text::Token>& tokens) {
    const size_t n = repeats.n();
    if (tokens.size() < n) return 0.0;
    const auto* top = repeats.top();
    const size_t at = top ? top->at : 0;
    double length = static_cast<double>(n - 1);
    for (size_t i = 0; i < n; ++i) length += tokens[at + i].length;
    return length * (top ? repeats.count(top->number) : 1);
}

}  // namespace

void gopher(Views& views, const Asked& asked, Row row) {
    const auto& tokens = views.tokens;
    uint32_t words = 0, characters = 0, lettered = 0;
    std::vector<uint64_t> stops;
    for (const auto& token : tokens) {
        lettered += (token.any & unicode::ALPHA) != 0;
        if (token.all & unicode::SYMBOL) continue;
        ++words;
        characters += token.length;
        if (stops.size() < 8 && STOP_WORDS.contains(token.hash) && std::find(stops.begin(), stops.end(), token.hash) == stops.end()) {
            stops.push_back(token.hash);
        }
    }
    const size_t ellipses = text::count(views.text, "...") + text::count(views.text, "\u2026");
    double bullets = 0, trailing = 0;
    for (size_t i = 0; i < views.lines.size(); ++i) {
        const std::string_view line = views.bytes(views.stripped(i));
        bullets += line.starts_with("\u2022") || line.starts_with('-');
        trailing += line.ends_with("...") || line.ends_with("\u2026");
    }
    const double total = static_cast<double>(tokens.size()), lines = static_cast<double>(views.lines.size());
    row.add({
        static_cast<double>(words),
        share(characters, words),
        share(static_cast<double>(text::count(views.text, '#')), total),
        share(static_cast<double>(ellipses), total),
        share(bullets, lines),
        share(trailing, lines),
        share(lettered, total),
        static_cast<double>(stops.size()),
    });
    if (!asked.gopher_ngrams) return;
    auto& repeats = views.repeats;
    views.start_repeats(tokens);
    for (size_t n = 2; n <= 10; ++n) {
        if (n > 2) repeats.next();
        const double found = n <= 4 ? top_characters(repeats, tokens) : repeated_characters(repeats, tokens, views.sums);
        row.add(share(found, views.length));
    }
}

void fineweb(Views& views, Row row) {
    constexpr uint32_t BRIEF = 30;  // characters
    auto& parts = views.parts;
    parts.clear();
    double terminal = 0, brief = 0;
    for (size_t i = 0; i < views.lines.size(); ++i) {
        const auto words = views.words_of(i);
        if (words.empty()) continue;
        const Part& line = views.lines[i];
        parts.push_back(line);
        brief += line.length <= BRIEF;
        // No line ends so if spaces follow its last word.
        if (words.back().end < line.end || !(words.back().any & unicode::TERMINAL)) continue;
        const char *const begin = views.text.data() + words.back().begin, *const end = views.text.data() + line.end;
        const char* last = end - 1;
        while (last > begin && (*last & 0xC0) == 0x80) --last;
        terminal += (unicode::bits(text::decode(last, end)) & unicode::TERMINAL) != 0;
    }
    const double lines = static_cast<double>(parts.size());
    const Duplicates found = duplicates(parts, views);
    row.add({
        share(terminal, lines),
        share(brief, lines),
        share(found.again_characters, views.length - static_cast<double>(views.newlines.size())),
    });
}

}  // namespace signals
