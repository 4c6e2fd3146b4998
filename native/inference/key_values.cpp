#include "key_values.h"

#include <algorithm>

namespace engine {

namespace {

constexpr size_t LINE = 64;  // bytes

void put(const float* key, const float* value, size_t width, size_t slot, float* keys, float* values) {
    for (size_t d = 0; d < width; ++d) keys[d * PAGE + slot] = key[d];
    std::copy(value, value + width, values + slot * width);
}

template <class Number>
using Narrow = float (*)(const float*, size_t, float, Number*);

// Whole numbers up to `most`, and their scale behind those of the page.
template <class Number>
void put_key(Narrow<Number> narrow, const float* key, size_t width, float most, size_t slot, uint8_t* keys, Number* scratch) {
    auto* numbers = reinterpret_cast<Number*>(keys);
    reinterpret_cast<float*>(numbers + width * PAGE)[slot] = narrow(key, width, most, scratch);
    for (size_t d = 0; d < width; d += 2) std::copy(scratch + d, scratch + d + 2, numbers + d * PAGE + 2 * slot);
}

template <class Number>
void put_value(Narrow<Number> narrow, const float* value, size_t width, float most, size_t slot, uint8_t* values, Number* scratch) {
    auto *numbers = reinterpret_cast<Number*>(values), *pair = numbers + slot / 2 * 2 * width + slot % 2;
    reinterpret_cast<float*>(numbers + width * PAGE)[slot] = narrow(value, width, most, scratch);
    for (size_t d = 0; d < width; ++d) pair[2 * d] = scratch[d];
}

}  // namespace

KeyValues::KeyValues(Kept kept, size_t pages, size_t heads, size_t size)
    : kept_(kept), heads_(heads), size_(size), memory_(pages * heads * 2 * keys_bytes(kept, size)) {}

void KeyValues::write(const Kernels& kernels, int32_t page, size_t head, size_t slot, const float* key, const float* value, float* scratch) {
    const size_t width = room(size_);
    uint8_t *keys = const_cast<uint8_t*>(at(page, head)), *values = keys + keys_bytes(kept_, size_);
    if (kept_ == Kept::FP32) {
        put(key, value, width, slot, reinterpret_cast<float*>(keys), reinterpret_cast<float*>(values));
    } else if (kept_ == Kept::INT16) {
        auto* narrow = reinterpret_cast<int16_t*>(scratch);
        put_key(kernels.narrow_int16, key, width, largest_factor(width), slot, keys, narrow);
        put_value(kernels.narrow_int16, value, width, largest_factor(PAGE), slot, values, narrow);
    } else {
        auto* narrow = reinterpret_cast<int8_t*>(scratch);
        put_key(kernels.narrow_int8, key, width, 127, slot, keys, narrow);
        put_value(kernels.narrow_int8, value, width, 127, slot, values, narrow);
    }
}

void KeyValues::fetch(int32_t page, size_t head) const {
    const uint8_t* from = at(page, head);
    for (size_t byte = 0; byte < head_bytes(); byte += LINE) __builtin_prefetch(from + byte, 0, 2);
}

}  // namespace engine
