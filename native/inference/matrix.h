// Matrices in the layout of the kernels.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "kernels.h"
#include "sources.h"

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

    // Packs rows of a source, `bytes` apart: row i becomes output `outputs[i]`. Weights are kept to the
    // last bit where the format can, else they are rounded to it. False if one is not finite.
    bool fill(Source source, const uint8_t* rows, size_t bytes, std::span<const int32_t> outputs, size_t threads);

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
    bool pack(Source source, const uint8_t* row, size_t output);
    void put(size_t output, size_t b, const Integers& block);
    uint8_t* block(size_t output, size_t b) { return data_->data() + output / PANEL * panel_bytes() + b * block_bytes(format_); }
    const uint8_t* block(size_t output, size_t b) const { return panel(output / PANEL) + b * block_bytes(format_); }

    Format format_;
    size_t outputs_, inputs_;
    std::shared_ptr<Block> data_;
};
