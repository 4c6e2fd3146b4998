// OpenHearth's own signals; openhearth/data/signals/hearth.py has the definitions.
#include <algorithm>

#include "pii.h"
#include "signals.h"

namespace signals {

namespace {

using text::Span;

// How many bytes a greedy LZ77 parse needs: three for a match of at least four bytes, one for a
// literal. The last place of each group of four bytes is kept under its hash.
size_t compressed_size(std::string_view bytes) {
    constexpr int BITS = 14;
    static thread_local std::vector<uint32_t> places;
    places.assign(size_t{1} << BITS, UINT32_MAX);
    size_t size = 0, i = 0;
    while (i + 4 <= bytes.size()) {
        const uint32_t four = hash::read<uint32_t>(&bytes[i]);
        uint32_t& place = places[four * 2654435761u >> (32 - BITS)];
        size_t earlier = place, length = 0;
        place = static_cast<uint32_t>(i);
        if (earlier != UINT32_MAX && hash::read<uint32_t>(&bytes[earlier]) == four) {
            for (length = 4; i + length < bytes.size() && bytes[earlier + length] == bytes[i + length];) ++length;
        }
        size += length ? 3 : 1;
        i += length ? length : 1;
    }
    return size + bytes.size() - i;
}

}  // namespace

void hearth(Views& views, const Asked& asked, Row row) {
    auto& parts = views.parts;
    const auto repeated = [&] {
        const Duplicates found = duplicates(parts, views);
        row.add({views.length ? found.again / found.parts : UNDEFINED, share(found.again_characters, views.length)});
    };
    if (asked.duplicates) {
        // Between runs of newlines are the lines that are not empty; runs at the ends leave an empty one.
        parts.clear();
        for (const Part& line : views.lines) {
            if (line.size()) parts.push_back(line);
        }
        const auto end = static_cast<uint32_t>(views.text.size());
        if (views.text.starts_with('\n')) parts.push_back(views.part({0, 0}));
        if (views.text.ends_with('\n')) parts.push_back(views.part({end, end}));
        repeated();
        split(views, views.stripped(), 2, true, views.spans);
        parts.clear();
        for (Span paragraph : views.spans) parts.push_back(views.part(paragraph));
        repeated();
    } else {
        row.skip(4);
    }
    uint32_t longest = 0;
    for (const auto& word : views.words) longest = std::max(longest, word.length);
    row.add({static_cast<double>(longest), share(static_cast<double>(views.newlines.size()), static_cast<double>(views.tokens.size()))});
    row.add(asked.pii ? static_cast<double>(pii::find(views.text, views.words).size()) : UNDEFINED);
    if (asked.compression) row.add(share(static_cast<double>(compressed_size(views.text)), static_cast<double>(views.text.size())));
}

}  // namespace signals
