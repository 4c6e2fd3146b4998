// The keys and values of one layer, in pages.
#pragma once

#include "kernels.h"
#include "matrix.h"

namespace engine {

class KeyValues {
public:
    KeyValues(Kept kept, size_t pages, size_t heads, size_t size);

    // One token's, room(size) numbers each, to their place in a page. `scratch` has as much room.
    void write(const Kernels&, int32_t page, size_t head, size_t slot, const float* key, const float* value, float* scratch);
    // Asks for a page ahead of its use, to the core's larger cache.
    void fetch(int32_t page, size_t head) const;

    Kept kept() const { return kept_; }
    const uint8_t* at(int32_t page, size_t head) const { return memory_.data() + static_cast<size_t>(page) * page_bytes() + head * head_bytes(); }
    size_t page_bytes() const { return heads_ * head_bytes(); }

private:
    size_t head_bytes() const { return 2 * keys_bytes(kept_, size_); }

    Kept kept_;
    size_t heads_, size_;
    Block memory_;
};

}  // namespace engine
