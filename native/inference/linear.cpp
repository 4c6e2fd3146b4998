#include "operations.h"

namespace engine {

namespace {

constexpr size_t TASK_BYTES = 32768;  // of weights, about what one task multiplies
constexpr size_t ROWS = 128;          // that go through a task's panels before the next do
constexpr size_t PREPARED = GROUP;    // rows that one task makes ready

}  // namespace

Linear::Linear(Buffer& in, std::optional<Norm> norm, Matrix matrix, std::vector<float> bias, Use use, Buffer& out, size_t column, bool wanted)
    : in_(in), norm_(std::move(norm)), matrix_(std::move(matrix)), bias_(std::move(bias)), use_(use), out_(out), column_(column), wanted_(wanted) {}

void Linear::run(Context& context) {
    const size_t count = wanted_ ? context.step.wanted.size() : context.step.rows();
    if (!count) return;
    Ready& ready = count <= FEW ? context.own : context.shared;
    bool prepared = count > FEW;
    if (prepared) {
        context.worker.phase((count + PREPARED - 1) / PREPARED, [&](size_t task) {
            for (size_t i = task * PREPARED; i < std::min(count, (task + 1) * PREPARED); ++i) prepare(context, i, ready);
        });
    }
    const size_t panels = matrix_.panels() / (is_gated() ? 2 : 1);
    const size_t bytes = matrix_.panel_bytes() * (is_gated() ? 2 : 1), size = std::max<size_t>(1, TASK_BYTES / bytes);
    const size_t tasks = (panels + size - 1) / size;
    context.worker.phase(tasks, [&](size_t task) {
        if (next) next->fetch(context.step, task, tasks);
        for (size_t i = 0; !prepared && i < count; ++i) prepare(context, i, ready);
        prepared = true;
        const size_t end = std::min(panels, (task + 1) * size);
        for (size_t first = 0; first < count; first += ROWS) {
            for (size_t panel = task * size; panel < end; ++panel) multiply(context, ready, first, std::min(ROWS, count - first), panel);
        }
    });
}

const LowRank* Linear::adapter_of(const Step& step, size_t row) const {
    if (adapters_.empty() || wanted_ || step.adapters[row] == NONE) return nullptr;
    const auto found = adapters_.find(step.adapters[row]);
    return found == adapters_.end() ? nullptr : found->second.get();
}

void Linear::prepare(Context& context, size_t row, Ready& ready) {
    const size_t inputs = matrix_.inputs();
    const float* x = in_.row(row);
    const bool quantised = is_quantised(matrix_.format());
    float* values = quantised ? context.row : ready.values.data() + row * inputs;
    if (norm_) {
        norm_->apply(context.kernels, x, values);
        x = values;
    } else if (!quantised) {
        std::copy(x, x + inputs, values);
    }
    if (quantised) context.kernels.quantise(x, inputs, ready.quantised(row, inputs));
    if (const LowRank* adapter = ready.adapters[row] = adapter_of(context.step, row)) {
        adapter->narrow(context.kernels, ready.rows(inputs), row, ready.thin.data() + row * context.rank);
    }
}

void Linear::multiply(Context& context, const Ready& ready, size_t first, size_t count, size_t panel) {
    alignas(64) float products[MOST_ROWS * PANEL], others[MOST_ROWS * PANEL];
    for (size_t row = first; row < first + count; row += MOST_ROWS) {
        const size_t some = std::min(MOST_ROWS, first + count - row);
        for (size_t r = row; r < row + some; ++r) claim(out_.row(r) + column_ + panel * PANEL, PANEL * sizeof(float));
        if (is_gated()) {
            product(context, ready, row, some, 2 * panel, products);
            product(context, ready, row, some, 2 * panel + 1, others);
            gate_of(context.kernels, use_)(products, others, some * PANEL, products);
        } else {
            product(context, ready, row, some, panel, products);
            if (use_ == Use::GELU) context.kernels.gelu(products, some * PANEL, products);
            if (use_ == Use::GELU_TANH) context.kernels.gelu_tanh(products, some * PANEL, products);
            if (use_ == Use::RELU2) context.kernels.relu2(products, some * PANEL, products);
        }
        const auto put = use_ == Use::ADD ? context.kernels.put_sum : context.kernels.put;
        put(products, some, out_.row(row) + column_ + panel * PANEL, out_.width);
    }
}

void Linear::product(Context& context, const Ready& ready, size_t row, size_t count, size_t panel, float* out) {
    context.kernels.multiply(matrix_.format(), matrix_.panel(panel), ready.rows(matrix_.inputs()), row, count, out);
    if (bias_.empty() && adapters_.empty()) return;
    for (size_t r = 0; r < count; ++r, out += PANEL) {
        for (size_t o = 0; o < (bias_.empty() ? 0 : PANEL); ++o) out[o] += bias_[panel * PANEL + o];
        if (const LowRank* adapter = ready.adapters[row + r]) {
            adapter->add(context.kernels, ready.thin.data() + (row + r) * context.rank, panel, out);
        }
    }
}

}  // namespace engine
