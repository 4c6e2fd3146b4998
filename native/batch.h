// A batch of texts as Arrow holds it: the bytes of all of them, and where each begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

class Strings {
public:
    // `offsets` has one entry more than there are texts.
    Strings(const char* bytes, const int32_t* offsets, size_t size) : bytes_(bytes), offsets_(offsets), size_(size) {}
    size_t size() const { return size_; }
    std::string_view operator[](size_t i) const {
        return {bytes_ + offsets_[i], static_cast<size_t>(offsets_[i + 1] - offsets_[i])};
    }

private:
    const char* bytes_;
    const int32_t* offsets_;
    size_t size_;
};
