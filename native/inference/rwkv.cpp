// Operations of RWKV-7's time mixing.
#include "rwkv_operations.h"

namespace engine {

namespace {

constexpr size_t CHANNELS = 128;  // of one task

// Where the parts of a row begin.
struct Columns {
    float *asked, *decay, *key, *value, *rate, *taken;
    Columns(float* row, size_t size)
        : asked(row), decay(row + size), key(row + 2 * size), value(row + 3 * size), rate(row + 4 * size), taken(row + 5 * size) {}
};

}  // namespace

void Shift::run(Context& context) {
    const size_t groups = (in_.width + CHANNELS - 1) / CHANNELS;
    context.worker.phase(context.step.pieces.size() * groups, [&](size_t i) {
        const Piece& piece = context.step.pieces[i / groups];
        const size_t first = i % groups * CHANNELS, end = std::min(in_.width, first + CHANNELS);
        float* const last = states_->at(piece.slot);
        if (piece.place == 0) std::fill(last + first, last + end, 0.0f);
        for (size_t row = 0; row < piece.count; ++row) mix(piece.row + row, row ? in_.row(piece.row + row - 1) : last, first, end);
        const float* x = in_.row(piece.row + piece.count - 1);
        std::copy(x + first, x + end, last + first);
    });
}

void Shift::mix(size_t row, const float* before, size_t first, size_t end) {
    const float *x = in_.row(row), *share = shares_.data();
    for (Buffer* buffer : outs_) {
        float* out = buffer->row(row);
        for (size_t c = first; c < end; ++c) out[c] = x[c] + share[c] * (before[c] - x[c]);
        share += in_.width;
    }
}

void Replace::run(Context& context) {
    const size_t heads = channels_->heads, size = channels_->size();
    context.worker.phase(context.step.pieces.size() * heads, [&](size_t i) {
        const Piece& piece = context.step.pieces[i / heads];
        const size_t head = i % heads, first = head * size;
        const Terms terms{size, &channels_->decay_bias[first], &channels_->rate_bias[first], &channels_->taken_scale[first], &channels_->key_rate[first]};
        for (size_t row = piece.row; row < piece.row + piece.count; ++row) {
            const Columns at(rows_.row(row) + first, channels_->all());
            context.kernels.terms(terms, at.decay, at.key, at.rate, at.taken);
        }
        float* const memory = states_->at(piece.slot) + first * size;
        if (piece.place == 0) std::fill_n(memory, size * size, 0.0f);
        const Columns at(rows_.row(piece.row) + first, channels_->all());
        context.kernels.replace({
            piece.count, size, size, at.asked, at.decay, at.key, at.value, at.rate, at.taken, rows_.width,
            memory, out_.row(piece.row) + first, out_.width,
        });
    });
}

void Bonus::run(Context& context) {
    context.worker.phase(context.step.rows(), [&](size_t row) {
        const Columns at(rows_.row(row), channels_->all());
        const size_t size = channels_->size();
        for (size_t i = 0; i < channels_->all(); i += size) {
            context.kernels.bonus(at.asked + i, at.key + i, &channels_->bonus[i], at.value + i, gate_.row(row) + i, size, y_.row(row) + i);
        }
    });
}

}  // namespace engine
