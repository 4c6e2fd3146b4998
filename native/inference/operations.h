// The operations that programs are made of; each has a file of its own.
#pragma once

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "key_values.h"
#include "program.h"

namespace engine {

// By the root of the mean square or, if it has biases, by mean and deviation.
struct Norm {
    std::vector<float> weight, bias;
    float eps;
    void apply(const Kernels& kernels, const float* x, float* out) const {
        if (bias.empty()) return kernels.rms_norm(x, weight.data(), weight.size(), eps, out);
        kernels.layer_norm(x, weight.data(), bias.data(), weight.size(), eps, out);
    }
};

// A token's row of a matrix, times a factor, and what its place in the sequence adds, [places][width],
// if anything.
class Embed : public Operation {
public:
    Embed(Matrix matrix, float factor, std::vector<float> places, Buffer& out)
        : matrix_(std::move(matrix)), factor_(factor), places_(std::move(places)), out_(out) {}
    void run(Context&) override;

private:
    Matrix matrix_;
    float factor_;
    std::vector<float> places_;
    Buffer& out_;
};

// The rows whose logits are asked for, one after another.
class Gather : public Operation {
public:
    Gather(Buffer& in, Buffer& out) : in_(in), out_(out) {}
    void run(Context&) override;

private:
    Buffer &in_, &out_;
};

// x += norm(y), or y.
class AddNorm : public Operation {
public:
    AddNorm(Buffer& in, std::optional<Norm> norm, Buffer& out) : in_(in), norm_(std::move(norm)), out_(out) {}
    void run(Context&) override;

private:
    Buffer& in_;
    std::optional<Norm> norm_;
    Buffer& out_;
};

// y = norm(x), which may be the same rows.
class Normalise : public Operation {
public:
    Normalise(Buffer& in, Norm norm, Buffer& out) : in_(in), norm_(std::move(norm)), out_(out) {}
    void run(Context&) override;

private:
    Buffer& in_;
    Norm norm_;
    Buffer& out_;
};

// x = most * tanh(x / most).
class Cap : public Operation {
public:
    Cap(Buffer& x, float most) : x_(x), most_(most) {}
    void run(Context&) override;

private:
    Buffer& x_;
    float most_;
};

// What becomes of a product.
enum class Use { STORE, ADD, GELU, GELU_TANH, RELU2, SILU_PRODUCT, GELU_PRODUCT, GELU_TANH_PRODUCT };

// Whether the product is a pair, gate and up.
constexpr bool is_gated(Use use) { return use >= Use::SILU_PRODUCT; }

inline auto gate_of(const Kernels& kernels, Use use) {
    return use == Use::SILU_PRODUCT ? kernels.silu_product : use == Use::GELU_PRODUCT ? kernels.gelu_product : kernels.gelu_tanh_product;
}

// What an adapter adds to a product: x A^T B^T (Hu et al. 2021, arXiv:2106.09685). Its rank is filled up
// to a multiple of PANEL. Of B a panel has only the columns that are not all zero, as the matrices that
// were put together each have columns of their own.
class LowRank {
public:
    // B is [outputs][rank].
    LowRank(Matrix a, const float* b, size_t outputs);
    size_t bytes() const { return a_.bytes() + b_.size() * sizeof(Half) + wide_.size() * sizeof(float) + parts_.size() * sizeof(Part); }
    void narrow(const Kernels&, const Rows&, size_t row, float* thin) const;
    void add(const Kernels&, const float* thin, size_t panel, float* out) const;

private:
    bool is_wide() const { return a_.format() == Format::FP32; }

    struct Part {  // small, since there is one for each panel of each adapter of a batch
        uint16_t first, count;  // columns
        uint32_t at;            // where in `b_` they lie
    };
    Matrix a_;
    std::vector<Part> parts_;  // of each panel
    std::vector<Half> b_;      // [columns][PANEL]
    std::vector<float> wide_;  // the same beside matrices in fp32
};

// y = norm(x) W^T + bias. If it is gated, the rows of W are taken in pairs of panels, gate and up, of which
// one panel comes. Of `wanted` rows only, if it says so.
class Linear : public Operation {
public:
    Linear(Buffer& in, std::optional<Norm> norm, Matrix matrix, std::vector<float> bias, Use use, Buffer& out, size_t column, bool wanted);
    void run(Context&) override;
    size_t width() const override { return matrix_.inputs(); }
    // Between two steps only, as `forget`.
    void adapt(int32_t number, std::shared_ptr<const LowRank> adapter) { adapters_.insert_or_assign(number, std::move(adapter)); }
    void forget(int32_t number) { adapters_.erase(number); }
    const Matrix& matrix() const { return matrix_; }

private:
    const LowRank* adapter_of(const Step&, size_t row) const;
    void prepare(Context&, size_t row, Ready&);
    void multiply(Context&, const Ready&, size_t first, size_t count, size_t panel);
    void product(Context&, const Ready&, size_t row, size_t count, size_t panel, float* out);
    bool is_gated() const { return engine::is_gated(use_); }

    Buffer& in_;
    std::optional<Norm> norm_;
    Matrix matrix_;
    std::vector<float> bias_;
    Use use_;
    Buffer& out_;
    size_t column_;  // of the first output in `out`
    bool wanted_;
    std::unordered_map<int32_t, std::shared_ptr<const LowRank>> adapters_;
};

struct Heads {
    size_t queries, keys, size;
    float scale;
    int32_t window;
    bool causal;                               // or a row sees its whole piece
    std::optional<Norm> query_norm, key_norm;  // over a head
};

// Angles of rotation, [positions][room(size) / 2].
struct Angles {
    std::vector<float> cosines, sines;
};

// Rotates queries and keys, if there are angles, which lie with the values in one row, a head in room(size)
// numbers; writes keys and values to their pages, and lets the queries attend.
class Attend : public Operation {
public:
    Attend(Buffer& in, Heads heads, std::shared_ptr<const Angles> angles, std::shared_ptr<KeyValues> memory, Buffer& out);
    void run(Context&) override;
    void fetch(const Step&, size_t part, size_t parts) const override;
    size_t width() const override { return room(heads_.size); }

private:
    void rotate(Context&, size_t row, int32_t place, size_t key_head);
    void write(Context&, const Piece&, size_t row, size_t key_head);
    void attend(Context&, const Piece&, size_t first, size_t count, size_t key_head);
    size_t tile() const { return std::max<size_t>(1, 24 / group()); }  // rows whose queries attend together
    size_t group() const { return heads_.queries / heads_.keys; }

    Buffer& in_;
    Heads heads_;
    std::shared_ptr<const Angles> angles_;
    std::shared_ptr<KeyValues> memory_;
    Buffer& out_;
};

}  // namespace engine
