#include "program.h"

#include <algorithm>

namespace engine {

void Ready::reserve(size_t rows, size_t inputs, size_t rank) {
    if (adapters.size() < rows) adapters.resize(rows);
    if (thin.size() < rows * rank) thin.resize(rows * rank);
    const size_t count = (rows + GROUP - 1) / GROUP * GROUP * inputs;
    if (values.size() >= count) return;
    values.resize(count), numbers.resize(count);
    scales.resize(count / BLOCK), totals.resize(count / BLOCK), shifts.resize(count / BLOCK);
}

Buffer& Program::buffer(size_t width, bool wanted) {
    return *buffers_.emplace_back(std::make_unique<Buffer>(Buffer{width, wanted, {}}));
}

void Program::run(const Step& step) {
    for (auto& one : buffers_) one->reserve(one->wanted ? step.wanted.size() : step.rows());
    shared_.reserve(step.rows(), widest_, rank_);
    for (Own& own : own_) {
        own.ready.reserve(FEW, widest_, rank_);
        own.row.resize(widest_);
    }
    team_.run(PHASES * operations_.size(), [&](Worker& worker) {
        Own& own = own_[worker.number()];
        Context context{step, worker, kernels_, shared_, own.ready, own.row.data(), rank_};
        for (auto& one : operations_) one->run(context);
    });
}

}  // namespace engine
