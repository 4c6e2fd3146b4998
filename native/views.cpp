#include "views.h"

#include <algorithm>

#include "tokens.h"

namespace signals {

namespace {

uint16_t wide_bits(const char*& at, const char* end) { return unicode::bits(text::decode(at, end)); }

bool is_wide_space(const char* at, const char* end) { return wide_bits(at, end) & unicode::SPACE; }

}  // namespace

void Views::read(std::string_view bytes, Wanted wanted) {
    text = bytes;
    length = uppers_ = digits_ = normalised_numerics_ = 0;
    normalised.clear();
    for (auto* numbers : {&newlines, &line_ends, &line_words, &line_normalised, &line_tokens, &line_uppers, &line_digits,
                          &line_normalised_numerics}) {
        numbers->clear();
    }
    for (auto* starts : {&line_words, &line_normalised, &line_tokens}) starts->push_back(0);
    lines.clear();
    words.clear();
    tokens.clear();
    const char *const begin = bytes.data(), *const end = begin + bytes.size();
    const auto place = [&](const char* at) { return static_cast<uint32_t>(at - begin); };
    uint32_t line = 0;  // where it begins
    for (const char* at = begin; at < end;) {
        const uint8_t first = static_cast<uint8_t>(*at);
        if (first == '\n') {
            ++length;
            newlines.push_back(place(at));
            end_line(line, place(at), true, wanted);
            line = place(++at);
            continue;
        }
        if (first < 128 ? unicode::bits(first) & unicode::SPACE : is_wide_space(at, end)) {
            ++length;
            do ++at; while (at < end && (*at & 0xC0) == 0x80);
            continue;
        }
        text::Word word{{place(at), 0}, 0, 0, 0xFFFF, 0};
        uint32_t more = 0;  // bytes that only go on with a character
        while (at < end) {
            const char* next = at + 1;
            const uint8_t byte = static_cast<uint8_t>(*at);
            const uint16_t bits = byte < 128 ? unicode::bits(byte) : wide_bits(next = at, end);
            if (bits & unicode::SPACE) break;
            word.any |= bits;
            word.all &= bits;
            more += static_cast<uint32_t>(next - at) - 1;
            at = next;
        }
        word.end = place(at);
        word.length = word.size() - more;
        word.hash = hash::quick(text::part(bytes, word));
        length += word.length;
        words.push_back(word);
        uppers_ += text::count(bytes, word, unicode::UPPER);
        digits_ += text::digits(bytes, word);
        if (wanted.normalised) normalised.add(bytes, word, decode);
        if (wanted.tokens) add_tokens(word);
    }
    if (line < bytes.size()) end_line(line, place(end), false, wanted);
    numberer.start(normalised.size());
    word_ids.resize(normalised.size());
    for (size_t i = 0; i < normalised.size(); ++i) word_ids[i] = numberer(normalised.hashes()[i]);
    word_counts = numberer.counts();
}

void Views::end_line(uint32_t begin, uint32_t end, bool newline, Wanted wanted) {
    const uint32_t before = line_ends.empty() ? 0 : line_ends.back();
    const text::Span span{begin, end};
    lines.push_back({span, length - before - newline, wanted.lines ? hash::quick(bytes(span)) : 0});
    line_ends.push_back(length);
    line_uppers.push_back(uppers_);
    line_digits.push_back(digits_);
    line_normalised_numerics.push_back(normalised.numeric() - normalised_numerics_);
    uppers_ = digits_ = 0;
    normalised_numerics_ = normalised.numeric();
    line_words.push_back(static_cast<uint32_t>(words.size()));
    line_normalised.push_back(static_cast<uint32_t>(normalised.size()));
    line_tokens.push_back(static_cast<uint32_t>(tokens.size()));
}

void Views::add_tokens(const text::Word& word) {
    if ((word.all & unicode::WORD) && !(word.any & (unicode::OPENS | unicode::CLOSES))) {
        tokens.push_back({word, word.length, word.any, word.all, word.hash});  // nothing to split
        return;
    }
    decode(text, word, [&](const auto& characters) {
        text::Tokens(characters, [&](uint32_t first, uint32_t last) {
            const text::Span span{word.begin + characters.byte(first), word.begin + characters.byte(last)};
            text::Token token{span, last - first, 0, 0xFFFF, hash::quick(bytes(span))};
            for (uint32_t i = first; i < last; ++i) {
                token.any |= characters.bits(i);
                token.all &= characters.bits(i);
            }
            tokens.push_back(token);
        }).split();
    });
}

Duplicates duplicates(const std::vector<Part>& parts, Views& views) {
    views.ids.resize(parts.size());
    views.numberer.start(parts.size());
    for (size_t i = 0; i < parts.size(); ++i) views.ids[i] = views.numberer(parts[i].hash);
    auto& counts = views.sums;
    counts = views.numberer.counts();
    Duplicates found;
    found.parts = static_cast<double>(parts.size());
    found.again = found.parts - static_cast<double>(counts.size());
    for (size_t i = 0; i < parts.size(); ++i) {
        uint32_t& count = counts[views.ids[i]];
        const double size = parts[i].length;
        found.characters += size;
        if (count == 1) continue;
        ++found.all;
        found.all_characters += size;
        if (count == 0) found.again_characters += size;
        count = 0;  // met before, from now on
    }
    return found;
}

void split(const Views& views, text::Span span, uint32_t newlines, bool longer, std::vector<text::Span>& parts) {
    parts.clear();
    uint32_t begin = span.begin;
    const auto first = std::lower_bound(views.newlines.begin(), views.newlines.end(), span.begin);
    const auto last = std::lower_bound(first, views.newlines.end(), span.end);
    for (auto at = first; at != last;) {
        uint32_t place = *at, run = 0;
        while (at != last && *at == place + run) ++at, ++run;
        const uint32_t step = longer ? run : newlines;
        for (; run >= newlines && run >= step; run -= step) {
            parts.push_back({begin, place});
            begin = place += step;
        }
    }
    parts.push_back({begin, span.end});
}

}  // namespace signals
