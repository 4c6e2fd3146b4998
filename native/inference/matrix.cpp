#include "matrix.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

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

bool Matrix::fill(Source source, const uint8_t* rows, size_t bytes, std::span<const int32_t> outputs, size_t threads) {
    std::atomic<bool> finite{true};
    const auto some = [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) {
            if (!pack(source, rows + i * bytes, static_cast<size_t>(outputs[i]))) finite = false;
        }
    };
    std::vector<std::thread> team;
    for (size_t t = 1; t < threads; ++t) team.emplace_back(some, t * outputs.size() / threads, (t + 1) * outputs.size() / threads);
    some(0, outputs.size() / std::max<size_t>(1, threads));
    for (auto& thread : team) thread.join();
    return finite;
}

bool Matrix::pack(Source source, const uint8_t* row, size_t output) {
    bool finite = true;
    for (size_t b = 0; b < inputs_ / BLOCK; ++b) {
        Integers integers;
        if (exact(source, row, b, format_, integers)) {
            finite &= std::isfinite(integers.scale) && std::isfinite(integers.least);
            put(output, b, integers);
            continue;
        }
        float weights[BLOCK];
        decode(source, row, b, weights);
        for (float weight : weights) finite &= std::isfinite(weight);
        if (format_ != Format::BF16 && format_ != Format::FP32) {
            put(output, b, nearest(weights, format_));
            continue;
        }
        uint8_t* at = block(output, b);
        for (size_t i = 0; i < BLOCK; ++i) {
            const size_t number = i * PANEL + output % PANEL;
            if (format_ == Format::FP32) {
                reinterpret_cast<float*>(at)[number] = weights[i];
            } else {
                reinterpret_cast<Brain*>(at)[number] = brain(weights[i]);
            }
        }
    }
    return finite;
}

void Matrix::put(size_t output, size_t b, const Integers& integers) {
    uint8_t* at = block(output, b);
    auto* beside = reinterpret_cast<Half*>(at);
    beside[output % PANEL] = half(integers.scale);
    if (format_ == Format::INT4_MIN) beside[PANEL + output % PANEL] = half(integers.least);
    at += scales_bytes(format_) + 4 * (output % PANEL);
    const uint8_t* numbers = integers.numbers;
    for (size_t four = 0; four < (format_ == Format::INT8 ? BLOCK : BLOCK / 2); four += 4, at += 4 * PANEL) {
        for (size_t i = four; i < four + 4; ++i) {
            at[i - four] = format_ == Format::INT8 ? numbers[i] : static_cast<uint8_t>(numbers[i] | numbers[i + 16] << 4);
        }
    }
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
