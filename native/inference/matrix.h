// Matrices in the layout of the kernels.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "kernels.h"

// Memory that begins at a cache line; large pieces at a large page, if the system has such.
class Block {
public:
    explicit Block(size_t bytes);
    uint8_t* data() { return data_.get(); }
    const uint8_t* data() const { return data_.get(); }
    size_t size() const { return size_; }

private:
    struct Free {
        void operator()(uint8_t* at) const { std::free(at); }
    };
    size_t size_;
    std::unique_ptr<uint8_t, Free> data_;
};

// Weights [outputs][inputs]; inputs are a multiple of BLOCK, outputs are filled up to one of PANEL.
class Matrix {
public:
    Matrix(Format format, size_t outputs, size_t inputs);

    // From numbers [outputs][inputs] and scales (and least values) [outputs][inputs / BLOCK].
    static Matrix of_integers(Format format, size_t outputs, size_t inputs, const uint8_t* numbers, const Half* scales, const Half* least);
    static Matrix of_floats(Format format, size_t outputs, size_t inputs, const float* values);

    Format format() const { return format_; }
    size_t outputs() const { return outputs_; }
    size_t inputs() const { return inputs_; }
    size_t panels() const { return (outputs_ + PANEL - 1) / PANEL; }
    size_t panel_bytes() const { return inputs_ / BLOCK * block_bytes(format_); }
    size_t bytes() const { return data_->size(); }
    const uint8_t* panel(size_t i) const { return data_->data() + i * panel_bytes(); }
    // One output's weights, as floats.
    void row(size_t output, float* out) const;

private:
    uint8_t* block(size_t output, size_t b) { return data_->data() + output / PANEL * panel_bytes() + b * block_bytes(format_); }
    const uint8_t* block(size_t output, size_t b) const { return panel(output / PANEL) + b * block_bytes(format_); }

    Format format_;
    size_t outputs_, inputs_;
    std::shared_ptr<Block> data_;
};
