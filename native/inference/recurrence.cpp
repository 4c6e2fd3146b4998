// Operations of mixers with a recurrent state.
#include "recurrent_operations.h"

namespace engine {

void Pace::run(Context& context) {
    context.worker.phase(context.step.rows(), [&](size_t i) {
        const size_t count = bias_.size();
        const Rates rates{count, bias_.data(), logs_.data(), least_, most_};
        float* out = out_.row(i);
        context.kernels.rates(in_.row(i) + column_, rates, out, logs_.empty() ? nullptr : out + count);
    });
}

void Sigmoid::run(Context& context) {
    context.worker.phase(context.step.rows(), [&](size_t i) { context.kernels.sigmoid(x_.row(i) + column_, count_, factor_); });
}

void NormParts::run(Context& context) {
    context.worker.phase(context.step.rows(), [&](size_t i) {
        const size_t size = norm_.weight.size() / weights_;
        for (size_t part = 0; part < parts_; ++part) {
            float* x = x_.row(i) + column_ + part * size;
            const size_t first = part % weights_ * size;
            if (norm_.bias.empty()) {
                context.kernels.rms_norm(x, norm_.weight.data() + first, size, norm_.eps, x);
            } else {
                context.kernels.layer_norm(x, norm_.weight.data() + first, norm_.bias.data() + first, size, norm_.eps, x);
            }
        }
    });
}

void Gate::run(Context& context) {
    context.worker.phase(context.step.rows(), [&](size_t i) {
        context.kernels.silu_product(gate_.row(i) + column_, x_.row(i), x_.width, x_.row(i));
    });
}

void Remember::run(Context& context) {
    const size_t heads = memory_.heads;
    context.worker.phase(context.step.pieces.size() * heads, [&](size_t i) {
        const Piece& piece = context.step.pieces[i / heads];
        const size_t head = i % heads, group = head / (heads / memory_.groups), size = memory_.keys * memory_.values;
        float* const memory = states_->at(piece.slot) + head * size;
        if (piece.place == 0) std::fill_n(memory, size, 0.0f);
        const float* row = in_.row(piece.row);
        context.kernels.recall({
            piece.count, memory_.keys, memory_.values,
            row + memory_.key + group * memory_.keys, row + memory_.query + group * memory_.keys, row + memory_.value + head * memory_.values, in_.width,
            decays_.row(piece.row) + memory_.decay + head, decays_.width, shares_.row(piece.row) + memory_.share + head, shares_.width,
            memory_.corrects, memory_.skip.empty() ? 0.0f : memory_.skip[head], memory,
            out_.row(piece.row) + head * memory_.values, out_.width,
        });
    });
}

void Scan::run(Context& context) {
    const size_t numbers = space_.logs.size() / space_.skip.size(), channels = space_.skip.size(), groups = channels / PANEL;
    context.worker.phase(context.step.pieces.size() * groups, [&](size_t i) {
        const Piece& piece = context.step.pieces[i / groups];
        const size_t channel = i % groups * PANEL;
        float* const state = states_->at(piece.slot);
        for (size_t n = 0; n < numbers && piece.place == 0; ++n) std::fill_n(state + n * channels + channel, PANEL, 0.0f);
        const float* chosen = chosen_.row(piece.row);
        context.kernels.select({
            piece.count, channels, numbers,
            x_.row(piece.row), x_.width, steps_.row(piece.row), steps_.width,
            chosen + space_.write, chosen + space_.read, chosen_.width,
            space_.logs.data(), space_.skip.data(), state, out_.row(piece.row), out_.width,
        }, channel);
    });
}

void Ring::run(Context& context) {
    const size_t channels = modes_.direct.size(), parts = modes_.poles.size() / channels, groups = channels / PANEL;
    context.worker.phase(context.step.pieces.size() * groups, [&](size_t i) {
        const Piece& piece = context.step.pieces[i / groups];
        const size_t channel = i % groups * PANEL;
        float* const state = states_->at(piece.slot);
        for (size_t n = 0; n < parts && piece.place == 0; ++n) std::fill_n(state + n * channels + channel, PANEL, 0.0f);
        const float* row = in_.row(piece.row);
        context.kernels.modal({
            piece.count, channels, parts / 2,
            row + modes_.gate, row + modes_.one, row + modes_.other, in_.width,
            modes_.poles.data(), modes_.residues.data(), modes_.direct.data(), state, out_.row(piece.row), out_.width,
        }, channel);
    });
}

}  // namespace engine
