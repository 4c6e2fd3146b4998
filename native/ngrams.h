// Numbers for equal things, and the n-grams that a text repeats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Gives equal keys equal numbers, in the order in which they are first met: 0, 1, 2, …
// Keys of texts are their 64-bit hashes: two of a document's words collide with odds of n^2 / 2^65.
class Numberer {
public:
    // Forgets everything, and makes room for `most` keys.
    void start(size_t most);

    uint32_t operator()(uint64_t key) {
        for (size_t i = key * 0x9E3779B97F4A7C15 >> shift_;; i = (i + 1) & mask_) {
            Slot& slot = slots_[i];
            if (slot.generation != generation_) {
                slot = {key, size(), generation_};
                counts_.push_back(1);
                return slot.number;
            }
            if (slot.key == key) {
                ++counts_[slot.number];
                return slot.number;
            }
        }
    }

    uint32_t size() const { return static_cast<uint32_t>(counts_.size()); }
    // How often each was met.
    const std::vector<uint32_t>& counts() const { return counts_; }

private:
    struct Slot {
        uint64_t key;
        uint32_t number, generation;
    };
    std::vector<Slot> slots_;
    std::vector<uint32_t> counts_;
    uint32_t generation_ = 0, shift_ = 63;
    size_t mask_ = 0;
};

// The n-grams of a text that occur at least twice, for n = 2, 3, …
//
// An n-gram can only occur twice if both (n-1)-grams in it do, so each step looks at what is left
// of the step before, which soon is little.
class Repeats {
public:
    struct Occurrence {
        uint32_t at, number;  // the position of its first word; equal n-grams have equal numbers
    };

    // Starts with n = 2. The words are numbers, given with how often each occurs.
    void start(const std::vector<uint32_t>& words, const std::vector<uint32_t>& counts);
    // Goes on to n + 1.
    void next();

    size_t n() const { return n_; }
    // In the order of the text.
    const std::vector<Occurrence>& occurrences() const { return occurrences_; }
    // How often the n-gram of this number occurs.
    uint32_t count(uint32_t number) const { return numberer_.counts()[number]; }
    // The n-gram that occurs most often, the first of those met first; none if none occurs twice.
    const Occurrence* top() const;

private:
    void keep_repeated();

    size_t n_ = 0;
    std::vector<Occurrence> occurrences_;
    std::vector<uint64_t> keys_;  // scratch space
    Numberer numberer_;
};
