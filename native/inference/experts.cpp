// Operations of mixtures of experts.
#include "expert_operations.h"

#include <limits>

namespace engine {

namespace {

constexpr size_t TASK_BYTES = 32768;  // of weights, about what one task multiplies
constexpr size_t ROWS = 128;          // that go through a task's panels before the next do
constexpr float NEVER = -std::numeric_limits<float>::infinity();

// Of equals the first, which is taken out.
size_t take_best(float* scores, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; ++i) {
        if (scores[i] > scores[best]) best = i;
    }
    scores[best] = NEVER;
    return best;
}

}  // namespace

void Route::run(Context& context) {
    const size_t rows = context.step.rows();
    context.worker.phase(rows, [&](size_t i) { choose(context, scores_.row(i), chosen_.row(i)); });
    context.worker.phase(1, [&](size_t) { gather(rows); });
}

void Route::choose(Context& context, float* scores, float* chosen) const {
    const size_t experts = choice_.experts, active = choice_.active;
    if (choice_.softmax) {
        context.kernels.softmax(scores, experts);
    } else {
        context.kernels.sigmoid(scores, scores_.width, 1.0f);
    }
    float *open = context.row, *weights = chosen + active;
    for (size_t e = 0; e < experts; ++e) open[e] = choice_.bias.empty() ? scores[e] : scores[e] + choice_.bias[e];
    if (choice_.groups > 1) close_groups(open, open + experts);
    for (size_t k = 0; k < active; ++k) chosen[k] = static_cast<float>(take_best(open, experts));
    std::sort(chosen, weights);  // so that what they make is added in one order
    float sum = 0;
    for (size_t k = 0; k < active; ++k) sum += weights[k] = scores[static_cast<size_t>(chosen[k])];
    const float factor = choice_.normalised ? choice_.factor / (sum + 1e-20f) : choice_.factor;
    for (size_t k = 0; k < active; ++k) weights[k] *= factor;
    weights[active] = 1;
}

void Route::close_groups(float* open, float* scores) const {
    const size_t size = choice_.experts / choice_.groups;
    for (size_t g = 0; g < choice_.groups; ++g) {
        float best = NEVER, second = NEVER;
        for (size_t e = g * size; e < (g + 1) * size; ++e) {
            second = std::max(second, std::min(best, open[e]));
            best = std::max(best, open[e]);
        }
        scores[g] = best + second;
    }
    float* closed = scores + choice_.groups;
    std::fill_n(closed, choice_.groups, 1.0f);
    for (size_t n = 0; n < choice_.active_groups; ++n) closed[take_best(scores, choice_.groups)] = 0;
    for (size_t e = 0; e < choice_.experts; ++e) {
        if (closed[e / size] != 0) open[e] = NEVER;
    }
}

void Route::gather(size_t rows) {
    auto& [places, slots, shares, ends, ready, widest] = *routes_;
    const auto expert_of = [&](size_t row, size_t rank) { return static_cast<size_t>(chosen_.row(row)[rank]); };
    ends.assign(choice_.experts, 0);
    for (size_t row = 0; row < rows; ++row) {
        for (size_t k = 0; k < choice_.active; ++k) ++ends[expert_of(row, k)];
    }
    shares.clear();
    size_t first = 0;
    for (size_t e = 0; e < choice_.experts; ++e) {
        const size_t count = std::exchange(ends[e], first);
        if (!count) continue;
        shares.push_back({e, first, count});
        first += (count + MOST_ROWS - 1) / MOST_ROWS * MOST_ROWS;
    }
    places.resize(first);
    slots.resize(rows * choice_.active);
    for (size_t row = 0; row < rows; ++row) {
        for (size_t k = 0; k < choice_.active; ++k) {
            const size_t slot = ends[expert_of(row, k)]++;
            places[slot] = {row, k};
            slots[row * choice_.active + k] = slot;
        }
    }
    ready.reserve(first, widest, 0);
}

void Experts::run(Context& context) {
    // Of the routes nothing is read outside of tasks, as a thread that comes late finds those of others.
    const size_t rows = context.step.rows();
    context.worker.phase(rows, [&](size_t row) {
        for (size_t rank = 0; rank < active_; ++rank) prepare(context, row, rank);
    });
    const size_t bytes = together() * matrix_.panel_bytes(), size = std::max<size_t>(1, TASK_BYTES / bytes);
    const size_t tasks = (panels() + size - 1) / size;  // of an expert
    context.worker.phase(std::min(experts_, rows * active_) * tasks, [&](size_t task) {
        if (task / tasks >= routes_->shares.size()) return;
        const Routes::Share& share = routes_->shares[task / tasks];
        const size_t begin = task % tasks * size, end = std::min(panels(), begin + size);
        for (size_t first = 0; first < share.count; first += ROWS) {
            for (size_t panel = begin; panel < end; ++panel) multiply(context, share, first, std::min(ROWS, share.count - first), panel);
        }
    });
}

void Experts::prepare(Context& context, size_t row, size_t rank) {
    const size_t inputs = matrix_.inputs(), slot = routes_->slots[row * active_ + rank];
    const float* x = in_.row(row) + (in_.width == inputs ? 0 : rank * inputs);
    Ready& ready = routes_->ready;
    if (is_quantised(matrix_.format())) {
        context.kernels.quantise(x, inputs, ready.quantised(slot, inputs));
    } else {
        std::copy(x, x + inputs, ready.values.data() + slot * inputs);
    }
}

void Experts::multiply(Context& context, const Routes::Share& share, size_t first, size_t count, size_t panel) {
    alignas(64) float products[MOST_ROWS * PANEL], others[MOST_ROWS * PANEL];
    const Kernels& kernels = context.kernels;
    const Rows rows = routes_->ready.rows(matrix_.inputs());
    const uint8_t* weights = matrix_.panel((share.expert * panels() + panel) * together());
    for (size_t slot = share.first + first; slot < share.first + first + count; slot += MOST_ROWS) {
        const size_t some = std::min(MOST_ROWS, share.first + first + count - slot);
        kernels.multiply(matrix_.format(), weights, rows, slot, some, products);
        if (is_gated(use_)) {
            kernels.multiply(matrix_.format(), weights + matrix_.panel_bytes(), rows, slot, some, others);
            gate_of(kernels, use_)(products, others, some * PANEL, products);
        }
        for (size_t i = 0; i < some; ++i) {
            const auto [row, rank] = routes_->places[slot + i];
            float* out = out_.row(row) + (rank * panels() + panel) * PANEL;
            std::copy_n(products + i * PANEL, PANEL, out);
        }
    }
}

void Blend::run(Context& context) {
    const size_t width = out_.width, parts = parts_.width / width;
    context.worker.phase(context.step.rows(), [&](size_t i) {
        const float *part = parts_.row(i), *weights = weights_.row(i) + column_;
        float* out = out_.row(i);
        float* sum = context.row;
        std::fill_n(sum, width, 0.0f);
        for (size_t n = 0; n < parts; ++n, part += width) {
            for (size_t k = 0; k < width; ++k) sum[k] += weights[n] * part[k];
        }
        for (size_t k = 0; k < width; ++k) out[k] = use_ == Use::ADD ? out[k] + sum[k] : sum[k];
    });
}

}  // namespace engine
