#include "key_values.h"

#include <algorithm>

namespace engine {

namespace {

constexpr size_t LINE = 64;  // bytes

template <class Number>
void put(uint8_t* at, size_t width, size_t values_at, size_t slot, const Number* key, const Number* value) {
    auto* keys = reinterpret_cast<Number*>(at) + slot;
    for (size_t d = 0; d < width; ++d) keys[d * PAGE] = key[d];
    std::copy(value, value + width, reinterpret_cast<Number*>(at + values_at) + slot * width);
}

}  // namespace

KeyValues::KeyValues(Kept kept, size_t pages, size_t heads, size_t size)
    : kept_(kept), heads_(heads), size_(size), memory_(pages * heads * 2 * keys_bytes(kept, size)) {}

void KeyValues::write(const Kernels& kernels, int32_t page, size_t head, size_t slot, const float* key, const float* value, float* scratch) {
    const size_t width = room(size_), values_at = keys_bytes(kept_, size_);
    uint8_t* to = const_cast<uint8_t*>(at(page, head));
    if (kept_ == Kept::FP32) return put(to, width, values_at, slot, key, value);
    if (kept_ == Kept::INT8) {
        auto *narrow = reinterpret_cast<int8_t*>(scratch), *other = narrow + width;
        auto* scales = reinterpret_cast<Half*>(to + numbers_bytes(kept_, size_));
        scales[slot] = kernels.narrow_int8(key, width, narrow);
        scales[values_at / sizeof(Half) + slot] = kernels.narrow_int8(value, width, other);
        return put(to, width, values_at, slot, narrow, other);
    }
    auto* narrow = reinterpret_cast<Half*>(scratch);
    kernels.narrow(key, width, narrow);
    kernels.narrow(value, width, narrow + width);
    put(to, width, values_at, slot, narrow, narrow + width);
}

void KeyValues::fetch(int32_t page, size_t head) const {
    const uint8_t* from = at(page, head);
    for (size_t byte = 0; byte < head_bytes(); byte += LINE) __builtin_prefetch(from + byte);
}

}  // namespace engine
