// The Python face of sampling.
#include "sample_module.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include "arguments.h"
#include "sample.h"

using namespace nb::literals;

namespace {

using Logits = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// A draw and the arrays that it looks at.
struct Held {
    engine::Draw draw;
    Flat<int32_t> changed;
    Flat<float> values;
    std::optional<Flat<uint32_t>> allowed;
};

void init(Held* self, float inverse_temperature, size_t top_k, double top_p, float least, uint64_t seed, uint64_t position,
          Flat<int32_t> changed, Flat<float> values, std::optional<Flat<uint32_t>> allowed, std::optional<size_t> alternatives) {
    if (changed.size() != values.size()) throw nb::value_error("each changed token needs one value");
    engine::Draw draw{inverse_temperature, top_k, top_p, least, seed, position, span(changed), span(values), allowed.has_value(),
                      allowed ? span(*allowed) : std::span<const uint32_t>(), alternatives.has_value(), alternatives.value_or(0)};
    new (self) Held{draw, changed, values, allowed};
}

std::vector<engine::Choice> sample(engine::Program& program, Logits logits, const std::vector<const Held*>& held) {
    if (held.size() != logits.shape(0)) throw nb::value_error("each row of logits needs one draw");
    std::vector<engine::Draw> draws;
    for (const Held* one : held) {
        for (int32_t token : one->draw.changed)
            if (token < 0 || static_cast<size_t>(token) >= logits.shape(1)) throw nb::index_error("a changed token is not in the vocabulary");
        draws.push_back(one->draw);
    }
    std::vector<engine::Choice> choices(draws.size());
    nb::gil_scoped_release release;
    engine::sample(program.team(), logits.data(), logits.shape(1), draws, choices);
    return choices;
}

}  // namespace

void bind_sampling(nb::module_& m) {
    nb::class_<Held>(m, "Draw").def("__init__", &init, "inverse_temperature"_a, "top_k"_a, "top_p"_a, "least"_a, "seed"_a, "position"_a,
                                    "changed"_a, "values"_a, "allowed"_a.none(), "alternatives"_a.none());
    nb::class_<engine::Choice>(m, "Choice")
        .def_ro("token", &engine::Choice::token)
        .def_ro("logprob", &engine::Choice::logprob)
        .def_ro("top", &engine::Choice::top);
    m.def("sample", &sample, "program"_a, "logits"_a, "draws"_a);
}
