// Operations on single rows.
#include "operations.h"

namespace engine {

void Embed::run(Context& context) {
    context.worker.phase(context.step.rows(), [&](size_t i) {
        float* out = out_.row(i);
        matrix_.row(static_cast<size_t>(context.step.tokens[i]), out);
        for (size_t k = 0; k < out_.width; ++k) out[k] *= factor_;
        if (places_.empty()) return;
        const Piece& piece = context.step.piece_of(i);
        const float* place = places_.data() + (static_cast<size_t>(piece.place) + i - piece.row) * out_.width;
        for (size_t k = 0; k < out_.width; ++k) out[k] += place[k];
    });
}

void Gather::run(Context& context) {
    const auto wanted = context.step.wanted;
    context.worker.phase(wanted.size(), [&](size_t i) {
        const float* row = in_.row(static_cast<size_t>(wanted[i]));
        std::copy(row, row + in_.width, out_.row(i));
    });
}

void AddNorm::run(Context& context) {
    context.worker.phase(context.step.rows(), [&](size_t i) {
        float *y = in_.row(i), *x = out_.row(i);
        if (norm_) norm_->apply(context.kernels, y, y);
        for (size_t k = 0; k < out_.width; ++k) x[k] += y[k];
    });
}

void Normalise::run(Context& context) {
    context.worker.phase(context.rows_of(in_), [&](size_t i) { norm_.apply(context.kernels, in_.row(i), out_.row(i)); });
}

void Cap::run(Context& context) {
    context.worker.phase(context.rows_of(x_), [&](size_t i) { context.kernels.cap(x_.row(i), x_.width, most_); });
}

}  // namespace engine
