#include "recurrent_operations.h"

namespace engine {

namespace {

constexpr size_t CHANNELS = 128;  // of one task

}  // namespace

void Convolve::run(Context& context) {
    const size_t groups = (filter_.channels + CHANNELS - 1) / CHANNELS;
    context.worker.phase(context.step.pieces.size() * groups, [&](size_t i) {
        const Piece& piece = context.step.pieces[i / groups];
        const float* row = in_.row(piece.row);
        const auto gate = [&](const std::optional<size_t>& column) { return column ? row + *column : nullptr; };
        const Convolution work{
            piece.count, filter_.channels, filter_.taps,
            row + filter_.x, gate(filter_.before), gate(filter_.after), in_.width,
            filter_.weight.data(), filter_.bias.empty() ? nullptr : filter_.bias.data(), filter_.silu,
            piece.place == 0, states_->at(piece.slot), out_.row(piece.row), out_.width,
        };
        const size_t first = i % groups * CHANNELS;
        context.kernels.convolve(work, first, std::min(filter_.channels, first + CHANNELS));
    });
}

}  // namespace engine
