// What one layer keeps of every sequence, however long: numbers that its next token needs.
#pragma once

#include <algorithm>

#include "matrix.h"

namespace engine {

class States {
public:
    States(size_t slots, size_t numbers) : numbers_(numbers), memory_(slots * numbers * sizeof(float)) {}

    float* at(int32_t slot) { return reinterpret_cast<float*>(memory_.data()) + static_cast<size_t>(slot) * numbers_; }
    void copy(int32_t source, int32_t target) {
        if (source != target) std::copy_n(at(source), numbers_, at(target));
    }
    size_t slots() const { return memory_.size() / sizeof(float) / numbers_; }

private:
    size_t numbers_;
    Block memory_;
};

}  // namespace engine
