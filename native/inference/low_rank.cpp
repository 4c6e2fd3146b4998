#include "operations.h"

namespace engine {

LowRank::LowRank(Matrix a, const float* b, size_t outputs) : a_(std::move(a)) {
    const size_t rank = a_.outputs();
    for (size_t first = 0; first < outputs; first += PANEL) {
        const size_t count = std::min(PANEL, outputs - first);
        const auto used = [&](size_t column) {
            for (size_t o = 0; o < count; ++o) {
                if (b[(first + o) * rank + column] != 0) return true;
            }
            return false;
        };
        size_t begin = 0, end = rank;
        while (begin < end && !used(begin)) ++begin;
        while (end > begin && !used(end - 1)) --end;
        parts_.push_back({static_cast<uint16_t>(begin), static_cast<uint16_t>(end - begin), static_cast<uint32_t>(std::max(b_.size(), wide_.size()))});
        for (size_t column = begin; column < end; ++column) {
            for (size_t o = 0; o < PANEL; ++o) {
                const float weight = o < count ? b[(first + o) * rank + column] : 0;
                if (is_wide()) {
                    wide_.push_back(weight);
                } else {
                    b_.push_back(half(weight));
                }
            }
        }
    }
}

void LowRank::narrow(const Kernels& kernels, const Rows& rows, size_t row, float* thin) const {
    for (size_t i = 0; i < a_.panels(); ++i) kernels.multiply(a_.format(), a_.panel(i), rows, row, 1, thin + i * PANEL);
}

void LowRank::add(const Kernels& kernels, const float* thin, size_t panel, float* out) const {
    const auto [first, count, at] = parts_[panel];
    if (is_wide()) return kernels.add_fp32(thin + first, wide_.data() + at, count, out);
    kernels.add_fp16(thin + first, b_.data() + at, count, out);
}

}  // namespace engine
