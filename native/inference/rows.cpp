// Operations on single rows.
#include "operations.h"

namespace engine {

void Embed::run(Context& context) {
    context.worker.phase(context.step.rows(), [&](size_t i) {
        float* out = out_.row(i);
        matrix_.row(static_cast<size_t>(context.step.tokens[i]), out);
        for (size_t k = 0; k < out_.width; ++k) out[k] *= factor_;
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
        context.kernels.rms_norm(y, norm_.weight.data(), in_.width, norm_.eps, y);
        for (size_t k = 0; k < out_.width; ++k) x[k] += y[k];
    });
}

}  // namespace engine
