#include "features.h"

namespace features {

namespace {

uint16_t kind(const char*& at, const char* end) {
    return unicode::bits(text::decode(at, end)) & (unicode::WORD | unicode::SPACE);
}

// Calls `use` with the hash of each match of \w+|[^\w\s]+.
template <class Use>
void raw_words(std::string_view text, Use&& use) {
    const char *at = text.data(), *const end = at + text.size();
    while (at < end) {
        const char *const begin = at, *next = at;
        const uint16_t first = kind(next, end);
        do at = next;
        while (at < end && kind(next, end) == first);
        if (!(first & unicode::SPACE)) use(hash::xxh64({begin, static_cast<size_t>(at - begin)}));
    }
}

}  // namespace

std::vector<int64_t> count(const text::Texts& texts, size_t buckets) {
    std::vector<int64_t> counts(buckets);
    for (std::string_view text : texts) {
        bool follows = false;
        uint64_t last = 0;
        raw_words(text, [&](uint64_t word) {
            ++counts[word % buckets];
            if (follows) ++counts[hash::pair(last, word) % buckets];
            follows = true;
            last = word;
        });
    }
    return counts;
}

}  // namespace features
