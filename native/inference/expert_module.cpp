// The Python face of mixtures of experts.
#include "expert_module.h"

#include <nanobind/stl/shared_ptr.h>

#include "arguments.h"
#include "expert_operations.h"

using namespace nb::literals;

void bind_experts(nb::module_& m, nb::class_<engine::Program>& program) {
    nb::class_<engine::Routes>(m, "Routes").def(nb::init<>());
    program
        .def("route", [](engine::Program& p, engine::Buffer& scores, size_t experts, size_t active, size_t groups, size_t active_groups, bool softmax,
                         bool normalised, float factor, const std::optional<Flat<float>>& bias, std::shared_ptr<engine::Routes> routes, engine::Buffer& chosen) {
            if (scores.width < experts || chosen.width < 2 * active + 1 || experts % groups || (bias && bias->size() != experts)) {
                throw nb::value_error("these buffers do not fit the experts");
            }
            engine::Choice choice{experts, active, groups, active_groups, softmax, normalised, factor, bias ? floats(*bias) : std::vector<float>()};
            p.add(std::make_unique<engine::Route>(scores, std::move(choice), std::move(routes), chosen));
        }, "scores"_a, "experts"_a, "active"_a, "groups"_a, "active_groups"_a, "softmax"_a, "normalised"_a, "factor"_a, "bias"_a.none(), "routes"_a, "chosen"_a)
        .def("experts", [](engine::Program& p, engine::Buffer& in, const Matrix& matrix, size_t experts, size_t active, engine::Use use,
                           std::shared_ptr<engine::Routes> routes, engine::Buffer& out) {
            if (matrix.outputs() % (experts * PANEL * (is_gated(use) ? 2 : 1))) throw nb::value_error("there is no kernel for experts of this size");
            p.add(std::make_unique<engine::Experts>(in, matrix, experts, active, use, std::move(routes), out));
        }, "x"_a, "matrix"_a, "experts"_a, "active"_a, "use"_a, "routes"_a, "out"_a)
        .def("blend", [](engine::Program& p, engine::Buffer& parts, engine::Buffer& weights, size_t column, engine::Use use, engine::Buffer& out) {
            p.add(std::make_unique<engine::Blend>(parts, weights, column, use, out));
        }, "parts"_a, "weights"_a, "column"_a, "use"_a, "out"_a);
}
