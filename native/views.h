// One text in the views that the families of signals share. Made anew for each text, in the same
// memory. Places are bytes, lengths are characters.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "ngrams.h"
#include "text.h"

namespace signals {

// A part of a text, such as a line.
struct Part : text::Span {
    uint32_t length;  // in characters
    uint64_t hash;
};

class Views {
public:
    // Which views to make, besides words and where the lines are.
    struct Wanted {
        bool normalised, tokens, lines;
    };
    void read(std::string_view text, Wanted wanted);

    std::string_view text;
    uint32_t length = 0;               // of the text
    std::vector<uint32_t> newlines;    // where they are
    std::vector<Part> lines;           // without their newlines
    std::vector<uint32_t> line_ends;   // in characters, newlines among them
    std::vector<text::Word> words;     // between spaces
    text::Normalised normalised;       // words in lower case, without punctuation
    std::vector<text::Token> tokens;   // words as spaCy's, nearly
    std::vector<uint32_t> word_ids;    // of normalised words: equal for equal ones
    std::vector<uint32_t> word_counts;  // how often each occurs, by id
    // How many of each come before each line, and last before the end.
    std::vector<uint32_t> line_words, line_normalised, line_tokens;
    // How many characters of each line are upper case and digits, and numeric in its normalised words.
    std::vector<uint32_t> line_uppers, line_digits, line_normalised_numerics;

    // Scratch space.
    text::Decoder decode;
    Numberer numberer;
    Repeats repeats;
    std::vector<Part> parts;
    std::vector<text::Span> spans;
    std::vector<uint32_t> ids, sums;

    std::span<const text::Word> words_of(size_t line) const { return of(words, line_words, line); }
    std::span<const text::Token> tokens_of(size_t line) const { return of(tokens, line_tokens, line); }
    std::string_view bytes(text::Span span) const { return text::part(text, span); }
    Part part(text::Span span) const {
        return {span, is_ascii() ? span.size() : text::length(bytes(span)), hash::quick(bytes(span))};
    }
    // A line without the spaces at its ends.
    Part stripped_line(size_t i) const {
        const text::Span inner = stripped(i);
        return inner.size() == lines[i].size() ? lines[i] : part(inner);
    }
    bool is_ascii() const { return length == text.size(); }
    // Without the spaces at both ends.
    text::Span stripped() const {
        return words.empty() ? text::Span{0, 0} : text::Span{words.front().begin, words.back().end};
    }
    text::Span stripped(size_t line) const {
        const auto inner = words_of(line);
        return inner.empty() ? text::Span{lines[line].begin, lines[line].begin} : text::Span{inner.front().begin, inner.back().end};
    }

    // Starts `repeats` with things, equal where their hashes are.
    template <class Things>
    void start_repeats(const Things& things) {
        ids.resize(things.size());
        numberer.start(things.size());
        for (size_t i = 0; i < things.size(); ++i) ids[i] = numberer(things[i].hash);
        repeats.start(ids, numberer.counts());
    }

private:
    template <class Thing>
    static std::span<const Thing> of(const std::vector<Thing>& all, const std::vector<uint32_t>& starts, size_t line) {
        return std::span(all).subspan(starts[line], starts[line + 1] - starts[line]);
    }
    void end_line(uint32_t begin, uint32_t end, bool newline, Wanted wanted);
    void add_tokens(const text::Word& word);

    uint32_t uppers_ = 0, digits_ = 0, normalised_numerics_ = 0;  // before the line
};

// How many parts occur after their equal did (`again`) and how many have an equal at all (`all`),
// with their characters.
struct Duplicates {
    double parts = 0, characters = 0, again = 0, again_characters = 0, all = 0, all_characters = 0;
};
Duplicates duplicates(const std::vector<Part>& parts, Views& views);

// What stands between runs of `newlines` newlines, or of more where `longer`.
void split(const Views& views, text::Span span, uint32_t newlines, bool longer, std::vector<text::Span>& parts);

}  // namespace signals
