#include "matrix.h"

#include <sys/mman.h>

#include <bit>
#include <cstring>
#include <new>

namespace {

constexpr size_t LINE = 64, LARGE_PAGE = 2 << 20;

// Where a weight of a block stands: which byte of it, and in formats of four bits which half.
struct Place {
    size_t byte;
    bool high;
};

Place place(Format format, size_t output, size_t i) {
    const bool bytes = format == Format::INT8;
    const size_t group = bytes ? i / 4 : i % 16 / 4;
    return {64 * group + 4 * (output % PANEL) + i % 4, !bytes && i >= 16};
}

size_t scales_bytes(Format format) { return PANEL * sizeof(Half) * (format == Format::INT4_MIN ? 2 : 1); }

Brain brain(float x) {  // to the nearest, of two the even one
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return {static_cast<uint16_t>(bits >> 16 | 64)};
    return {static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}

}  // namespace

Block::Block(size_t bytes) : size_(bytes) {
    const size_t unit = bytes >= LARGE_PAGE ? LARGE_PAGE : LINE;
    data_.reset(static_cast<uint8_t*>(std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit)));
    if (!data_) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    if (unit == LARGE_PAGE) madvise(data_.get(), bytes, MADV_HUGEPAGE);
#endif
}

Matrix::Matrix(Format format, size_t outputs, size_t inputs) : format_(format), outputs_(outputs), inputs_(inputs) {
    data_ = std::make_shared<Block>(panels() * panel_bytes());
    std::memset(data_->data(), 0, data_->size());
}

Matrix Matrix::of_integers(Format format, size_t outputs, size_t inputs, const uint8_t* numbers, const Half* scales, const Half* least) {
    Matrix out(format, outputs, inputs);
    for (size_t o = 0; o < outputs; ++o) {
        for (size_t b = 0; b < inputs / BLOCK; ++b, numbers += BLOCK) {
            uint8_t* at = out.block(o, b);
            auto* beside = reinterpret_cast<Half*>(at);
            beside[o % PANEL] = *scales++;
            if (least) beside[PANEL + o % PANEL] = *least++;
            for (size_t i = 0; i < BLOCK; ++i) {
                const auto [byte, high] = place(format, o, i);
                at[scales_bytes(format) + byte] |= static_cast<uint8_t>(numbers[i] << (high ? 4 : 0));
            }
        }
    }
    return out;
}

Matrix Matrix::of_floats(Format format, size_t outputs, size_t inputs, const float* values) {
    Matrix out(format, outputs, inputs);
    for (size_t o = 0; o < outputs; ++o) {
        for (size_t i = 0; i < inputs; ++i) {
            uint8_t* at = out.block(o, i / BLOCK);
            const size_t number = i % BLOCK * PANEL + o % PANEL;
            if (format == Format::FP32) {
                reinterpret_cast<float*>(at)[number] = *values++;
            } else {
                reinterpret_cast<Brain*>(at)[number] = brain(*values++);
            }
        }
    }
    return out;
}

void Matrix::row(size_t output, float* out) const {
    const size_t lane = output % PANEL;
    for (size_t b = 0; b < inputs_ / BLOCK; ++b) {
        const uint8_t* at = block(output, b);
        for (size_t i = 0; i < BLOCK; ++i) {
            if (format_ == Format::FP32) {
                *out++ = reinterpret_cast<const float*>(at)[i * PANEL + lane];
            } else if (format_ == Format::BF16) {
                *out++ = wide(reinterpret_cast<const Brain*>(at)[i * PANEL + lane]);
            } else {
                const auto* beside = reinterpret_cast<const Half*>(at);
                const auto [byte, high] = place(format_, output, i);
                const uint8_t raw = at[scales_bytes(format_) + byte];
                const int number = format_ == Format::INT8 ? raw - 128 : high ? raw >> 4 : raw & 15;
                const float least = format_ == Format::INT4_MIN ? wide(beside[PANEL + lane]) : 0.0f;
                *out++ = wide(beside[lane]) * static_cast<float>(format_ == Format::INT4 ? number - 8 : number) + least;
            }
        }
    }
}
