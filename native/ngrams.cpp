#include "ngrams.h"

#include <algorithm>
#include <bit>

void Numberer::start(size_t most) {
    // A small text uses the beginning of a large table, so that it stays in the cache.
    const size_t wanted = std::bit_ceil(most + most / 4 + 16);
    if (slots_.size() < wanted || ++generation_ == 0) {
        slots_.assign(std::max(wanted, slots_.size()), {});
        generation_ = 1;
    }
    shift_ = 64 - static_cast<uint32_t>(std::countr_zero(wanted));
    mask_ = wanted - 1;
    counts_.clear();
}

// Whether two words both are repeated cannot be guessed, and a wrong guess of the processor costs as
// much as a look-up: so the loops below write every candidate and step on only past the good ones.

void Repeats::start(const std::vector<uint32_t>& words, const std::vector<uint32_t>& counts) {
    n_ = 2;
    numberer_.start(words.size());
    occurrences_.resize(words.size());
    size_t kept = 0;
    bool repeated = !words.empty() && counts[words[0]] > 1;
    for (size_t i = 0; i + 1 < words.size(); ++i) {
        const bool next = counts[words[i + 1]] > 1;
        occurrences_[kept].at = static_cast<uint32_t>(i);
        kept += repeated & next;
        repeated = next;
    }
    occurrences_.resize(kept);
    for (Occurrence& o : occurrences_) o.number = numberer_(uint64_t{words[o.at]} << 32 | words[o.at + 1]);
    keep_repeated();
}

void Repeats::next() {
    ++n_;
    numberer_.start(occurrences_.size());
    keys_.resize(occurrences_.size());
    size_t kept = 0;
    for (size_t i = 0; i + 1 < occurrences_.size(); ++i) {
        const Occurrence first = occurrences_[i], second = occurrences_[i + 1];
        occurrences_[kept].at = first.at;
        keys_[kept] = uint64_t{first.number} << 32 | second.number;
        kept += second.at == first.at + 1;
    }
    occurrences_.resize(kept);
    for (size_t i = 0; i < kept; ++i) occurrences_[i].number = numberer_(keys_[i]);
    keep_repeated();
}

void Repeats::keep_repeated() {
    size_t kept = 0;
    for (const Occurrence o : occurrences_) {
        occurrences_[kept] = o;
        kept += count(o.number) > 1;
    }
    occurrences_.resize(kept);
}

const Repeats::Occurrence* Repeats::top() const {
    // Of equals, max_element takes the first, which is the one met first.
    const auto better = [&](Occurrence a, Occurrence b) { return count(a.number) < count(b.number); };
    const auto found = std::max_element(occurrences_.begin(), occurrences_.end(), better);
    return found == occurrences_.end() ? nullptr : &*found;
}
