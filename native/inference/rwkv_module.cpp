// The Python face of RWKV-7's time mixing.
#include "rwkv_module.h"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include "arguments.h"
#include "rwkv_operations.h"

using namespace nb::literals;

void bind_rwkv(nb::module_& m, nb::class_<engine::Program>& program) {
    nb::class_<engine::Channels>(m, "Channels")
        .def("__init__", [](engine::Channels* self, size_t heads, const Flat<float>& decay_bias, const Flat<float>& rate_bias,
                            const Flat<float>& taken_scale, const Flat<float>& key_rate, const Flat<float>& bonus) {
            for (const auto* one : {&decay_bias, &rate_bias, &taken_scale, &key_rate, &bonus}) {
                if (one->size() != bonus.size() || one->size() % (heads * PANEL)) throw nb::value_error("there is no kernel for heads of this size");
            }
            new (self) engine::Channels{heads, floats(decay_bias), floats(rate_bias), floats(taken_scale), floats(key_rate), floats(bonus)};
        }, "heads"_a, "decay_bias"_a, "rate_bias"_a, "taken_scale"_a, "key_rate"_a, "bonus"_a);
    program
        .def("shift", [](engine::Program& p, engine::Buffer& in, const Table<float>& shares, std::shared_ptr<engine::States> states, std::vector<engine::Buffer*> outs) {
            if (shares.shape(0) != outs.size() || shares.shape(1) != in.width) throw nb::value_error("there is a share for each channel of each mixture");
            p.add(std::make_unique<engine::Shift>(in, std::vector<float>(shares.data(), shares.data() + shares.size()), std::move(states), std::move(outs)));
        }, "x"_a, "shares"_a, "states"_a, "outs"_a)
        .def("replace", [](engine::Program& p, engine::Buffer& rows, std::shared_ptr<engine::Channels> channels, std::shared_ptr<engine::States> states, engine::Buffer& out) {
            if (rows.width < 6 * channels->all()) throw nb::value_error("rows have six parts");
            p.add(std::make_unique<engine::Replace>(rows, std::move(channels), std::move(states), out));
        }, "rows"_a, "channels"_a, "states"_a, "out"_a)
        .def("bonus", [](engine::Program& p, engine::Buffer& rows, engine::Buffer& gate, std::shared_ptr<engine::Channels> channels, engine::Buffer& y) {
            p.add(std::make_unique<engine::Bonus>(rows, gate, std::move(channels), y));
        }, "rows"_a, "gate"_a, "channels"_a, "y"_a);
}
