// The Python face of mixers with a recurrent state.
#include "recurrent_module.h"

#include <nanobind/stl/shared_ptr.h>

#include "arguments.h"
#include "recurrent_operations.h"

using namespace nb::literals;

void bind_recurrences(nb::module_& m, nb::class_<engine::Program>& program) {
    nb::class_<engine::States>(m, "States")
        .def(nb::init<size_t, size_t>(), "slots"_a, "numbers"_a)
        .def("copy", [](engine::States& states, int32_t source, int32_t target) {
            for (int32_t slot : {source, target}) {
                if (slot < 0 || static_cast<size_t>(slot) >= states.slots()) throw nb::value_error("there is no such slot");
            }
            states.copy(source, target);
        });
    program
        .def("convolve", [](engine::Program& p, engine::Buffer& in, const Table<float>& weight, const std::optional<Flat<float>>& bias, size_t x,
                            std::optional<size_t> before, std::optional<size_t> after, bool silu, std::shared_ptr<engine::States> states,
                            engine::Buffer& out) {
            const size_t taps = weight.shape(0), channels = weight.shape(1);
            if (taps < 1 || taps > MOST_TAPS || channels % PANEL) throw nb::value_error("there is no kernel for a filter of this size");
            std::vector<float> weights(weight.data(), weight.data() + weight.size());
            engine::Filter filter{channels, taps, std::move(weights), bias ? floats(*bias) : std::vector<float>(), x, before, after, silu};
            p.add(std::make_unique<engine::Convolve>(in, std::move(filter), std::move(states), out));
        }, "x"_a, "weight"_a, "bias"_a.none(), "column"_a, "before"_a.none(), "after"_a.none(), "silu"_a, "states"_a, "out"_a)
        .def("pace", [](engine::Program& p, engine::Buffer& in, size_t column, const Flat<float>& bias, const std::optional<Flat<float>>& logs,
                        float least, float most, engine::Buffer& out) {
            if (bias.size() % PANEL || (logs && logs->size() != bias.size())) throw nb::value_error("rates come in whole panels");
            p.add(std::make_unique<engine::Pace>(in, column, floats(bias), logs ? floats(*logs) : std::vector<float>(), least, most, out));
        }, "x"_a, "column"_a, "bias"_a, "logs"_a.none(), "least"_a, "most"_a, "out"_a)
        .def("sigmoid", [](engine::Program& p, engine::Buffer& x, size_t column, size_t count, float factor) {
            p.add(std::make_unique<engine::Sigmoid>(x, column, count, factor));
        })
        .def("norm_parts", [](engine::Program& p, engine::Buffer& x, size_t column, size_t parts, size_t weights, const NormArguments& with) {
            engine::Norm made = norm(with);
            if (made.weight.size() % (weights * PANEL)) throw nb::value_error("there is no kernel for a norm of this size");
            p.add(std::make_unique<engine::NormParts>(x, column, parts, weights, std::move(made)));
        }, "x"_a, "column"_a, "parts"_a, "weights"_a, "norm"_a)
        .def("gate", [](engine::Program& p, engine::Buffer& gate, size_t column, engine::Buffer& x) {
            p.add(std::make_unique<engine::Gate>(gate, column, x));
        })
        .def("remember", [](engine::Program& p, engine::Buffer& in, engine::Buffer& decays, engine::Buffer& shares, size_t heads, size_t groups, size_t keys, size_t values,
                            size_t key, size_t query, size_t value, size_t decay, size_t share, bool corrects,
                            const std::optional<Flat<float>>& skip, std::shared_ptr<engine::States> states, engine::Buffer& out) {
            if (values % PANEL) throw nb::value_error("there is no kernel for values of this size");
            engine::Memory memory{heads, groups, keys, values, key, query, value, decay, share, corrects, skip ? floats(*skip) : std::vector<float>()};
            p.add(std::make_unique<engine::Remember>(in, decays, shares, std::move(memory), std::move(states), out));
        }, "x"_a, "decays"_a, "shares"_a, "heads"_a, "groups"_a, "keys"_a, "values"_a, "key"_a, "query"_a, "value"_a, "decay"_a, "share"_a, "corrects"_a,
           "skip"_a.none(), "states"_a, "out"_a)
        .def("ring", [](engine::Program& p, engine::Buffer& in, const Table<float>& poles, const Table<float>& residues, const Flat<float>& direct,
                        size_t gate, size_t one, size_t other, std::shared_ptr<engine::States> states, engine::Buffer& out) {
            if (direct.size() % PANEL || poles.shape(0) % 2 || poles.shape(1) != direct.size() || residues.size() != poles.size()) {
                throw nb::value_error("there is no kernel for modes of this size");
            }
            engine::Modes modes{{poles.data(), poles.data() + poles.size()}, {residues.data(), residues.data() + residues.size()}, floats(direct), gate, one, other};
            p.add(std::make_unique<engine::Ring>(in, std::move(modes), std::move(states), out));
        }, "x"_a, "poles"_a, "residues"_a, "direct"_a, "gate"_a, "one"_a, "other"_a, "states"_a, "out"_a)
        .def("scan", [](engine::Program& p, engine::Buffer& x, engine::Buffer& steps, engine::Buffer& chosen, const Table<float>& logs,
                        const Flat<float>& skip, size_t write, size_t read, std::shared_ptr<engine::States> states, engine::Buffer& out) {
            if (skip.size() % PANEL || logs.shape(1) != skip.size()) throw nb::value_error("there is no kernel for so many channels");
            engine::Space space{{logs.data(), logs.data() + logs.size()}, floats(skip), write, read};
            p.add(std::make_unique<engine::Scan>(x, steps, chosen, std::move(space), std::move(states), out));
        }, "x"_a, "steps"_a, "chosen"_a, "logs"_a, "skip"_a, "write"_a, "read"_a, "states"_a, "out"_a);
}
