// The Python face of the kernels of training. `openhearth/models/fused.py` calls it, with the addresses of
// tensors that it has checked.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <vector>

#include "kernels.h"
#include "parallel.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Address = uintptr_t;  // of a tensor's numbers; 0 where there is none

template <class T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

constexpr size_t TOGETHER = 16384;  // numbers for which it does not pay to ask a second thread

// use(begin, end) for parts of all rows, by several threads if the rows are long or many.
template <class Use>
void rows(size_t count, size_t width, const Use& use) {
    nb::gil_scoped_release release;
    if (count * width <= TOGETHER) return use(size_t{0}, count);
    shared(count, use);
}

// The kernels of one kind of processor for one type of numbers.
template <class Number>
class Rows {
  public:
    explicit Rows(const RowKernels<Number>& kernels) : kernels_(kernels) {}

    void norm(Address x, Address weight, size_t count, size_t width, float eps, Address out, Address inverse) const {
        rows(count, width, [&](size_t begin, size_t end) {
            for (size_t r = begin; r < end; ++r) {
                kernels_.norm(at<Number>(x) + r * width, at<Number>(weight), width, eps, at<Number>(out) + r * width, at<float>(inverse) + r);
            }
        });
    }

    // `dweight` are floats. Rows are summed in groups that do not depend on the threads, nor does the sum.
    void norm_back(Address outer, Address x, Address weight, Address inverse, size_t count, size_t width, Address dx, Address dweight) const {
        const size_t groups = (count + GROUP - 1) / GROUP;
        std::vector<float> sums(dweight ? groups * width : 0);
        const auto group = [&](size_t g) {
            float* sum = dweight ? &sums[g * width] : nullptr;
            for (size_t r = g * GROUP; r < std::min(count, (g + 1) * GROUP); ++r) {
                const size_t from = r * width;
                Number* into = dx ? at<Number>(dx) + from : nullptr;
                kernels_.norm_back(at<Number>(outer) + from, at<Number>(x) + from, at<Number>(weight), width, at<float>(inverse)[r], into, sum);
            }
        };
        rows(groups, std::min(count, GROUP) * width, [&](size_t begin, size_t end) {
            for (size_t g = begin; g < end; ++g) group(g);
        });
        for (size_t g = 0; dweight && g < groups; ++g) {
            for (size_t i = 0; i < width; ++i) at<float>(dweight)[i] += sums[g * width + i];
        }
    }

    void gate(Address gate, Address up, size_t count, Address out) const {
        blocks(count, [&](size_t from, size_t some) { kernels_.gate(at<Number>(gate) + from, at<Number>(up) + from, some, at<Number>(out) + from); });
    }

    void gate_back(Address outer, Address gate, Address up, size_t count, Address dgate, Address dup) const {
        blocks(count, [&](size_t from, size_t some) {
            kernels_.gate_back(at<Number>(outer) + from, at<Number>(gate) + from, at<Number>(up) + from, some, at<Number>(dgate) + from, at<Number>(dup) + from);
        });
    }

    // x [count, heads, size], cosines and sines [count, half].
    void rotate(Address x, Address cosines, Address sines, size_t count, size_t heads, size_t size, size_t half, float sign, Address out) const {
        rows(count, heads * size, [&](size_t begin, size_t end) {
            for (size_t r = begin; r < end; ++r) {
                for (size_t h = r * heads; h < (r + 1) * heads; ++h) {
                    kernels_.rotate(at<Number>(x) + h * size, at<Number>(cosines) + r * half, at<Number>(sines) + r * half, half, size, sign, at<Number>(out) + h * size);
                }
            }
        });
    }

    void nats(Address logits, Address targets, Address weights, size_t count, size_t vocabulary, Address nats) const {
        for (size_t r = 0; r < count; ++r) {
            if (static_cast<uint64_t>(at<int64_t>(targets)[r]) >= vocabulary) throw nb::index_error("a target lies outside the vocabulary");
        }
        rows(count, vocabulary, [&](size_t begin, size_t end) {
            for (size_t r = begin; r < end; ++r) {
                const auto target = static_cast<size_t>(at<int64_t>(targets)[r]);
                at<float>(nats)[r] = kernels_.nats(at<Number>(logits) + r * vocabulary, vocabulary, target, at<float>(weights)[r]);
            }
        });
    }

    // x [count, width], of which row r sees what the ranges [first, last) of row r modulo `ranges` say.
    void softmax(Address x, Address first, Address last, size_t count, size_t width, size_t ranges, float scale) const {
        const auto *from = at<int64_t>(first), *to = at<int64_t>(last);
        for (size_t r = 0; r < ranges; ++r) {
            if (from[r] < 0 || from[r] >= to[r] || static_cast<size_t>(to[r]) > width) throw nb::index_error("a row sees nothing, or what is not there");
        }
        rows(count, width, [&](size_t begin, size_t end) {
            for (size_t r = begin; r < end; ++r) {
                const size_t seen = r % ranges;
                kernels_.softmax(at<Number>(x) + r * width, width, static_cast<size_t>(from[seen]), static_cast<size_t>(to[seen]), scale);
            }
        });
    }

    // x [count, width] to sums that are `stride` apart.
    void add(Address x, size_t count, size_t width, Address sums, size_t stride) const {
        if (count == 1) {
            blocks(width, [&](size_t from, size_t some) { kernels_.add(at<Number>(x) + from, some, at<float>(sums) + from); });
        } else {
            rows(count, width, [&](size_t begin, size_t end) {
                for (size_t r = begin; r < end; ++r) kernels_.add(at<Number>(x) + r * width, width, at<float>(sums) + r * stride);
            });
        }
    }

  private:
    static constexpr size_t GROUP = 256, BLOCK = 4096;

    // use(from, how many) for parts of `count` numbers.
    template <class Use>
    static void blocks(size_t count, const Use& use) {
        rows((count + BLOCK - 1) / BLOCK, std::min(count, BLOCK), [&](size_t begin, size_t end) {
            const size_t from = begin * BLOCK;
            use(from, std::min(count, end * BLOCK) - from);
        });
    }

    const RowKernels<Number>& kernels_;
};

template <class Number>
void declare(nb::module_& m, const char* name, const RowKernels<Number> TrainingKernels::* kernels) {
    nb::class_<Rows<Number>>(m, name)
        .def("__init__", [kernels](Rows<Number>* self, const std::string& kind) {
            const TrainingKernels* found = training_kernels_for(kind.c_str());
            if (!found) throw nb::value_error("this processor cannot run these kernels");
            new (self) Rows<Number>(found->*kernels);
        }, "kind"_a)
        .def("norm", &Rows<Number>::norm)
        .def("norm_back", &Rows<Number>::norm_back)
        .def("gate", &Rows<Number>::gate)
        .def("gate_back", &Rows<Number>::gate_back)
        .def("rotate", &Rows<Number>::rotate)
        .def("nats", &Rows<Number>::nats)
        .def("softmax", &Rows<Number>::softmax)
        .def("add", &Rows<Number>::add);
}

}  // namespace

NB_MODULE(_training, m) {
    m.def("kinds", [] {
        const auto names = training_kernels_here();
        return std::vector<std::string>(names.begin(), names.end());
    });
    declare<float>(m, "Wide", &TrainingKernels::wide);
    declare<Brain>(m, "Narrow", &TrainingKernels::narrow);
}
