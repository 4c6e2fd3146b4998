// The Python face of the engine's kernels. `openhearth/inference/native` calls it.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arguments.h"
#include "expert_module.h"
#include "recurrent_module.h"
#include "rwkv_module.h"
#include "sample_module.h"

using namespace nb::literals;

namespace {

const Kernels& named(const std::string& name) {
    const Kernels* found = kernels_for(name.c_str());
    if (!found) throw nb::value_error("this processor cannot run these kernels");
    return *found;
}

// Rows of bytes, of which row i becomes output `outputs[i]`.
void fill(Matrix& matrix, uint32_t type, Table<uint8_t> rows, Flat<int32_t> outputs, size_t threads) {
    const auto source = static_cast<Source>(type);
    const size_t bytes = row_bytes(source, matrix.inputs());
    if (!bytes || rows.shape(1) != bytes || rows.shape(0) != outputs.size()) throw nb::value_error("these rows do not fit the matrix");
    for (int32_t output : span(outputs)) {
        if (output < 0 || static_cast<size_t>(output) >= matrix.outputs()) throw nb::value_error("an output lies outside the matrix");
    }
    bool finite;
    {
        nb::gil_scoped_release release;
        finite = matrix.fill(source, rows.data(), bytes, span(outputs), threads);
    }
    if (!finite) throw nb::value_error("a weight is not a finite number");
}

nb::ndarray<nb::numpy, float> array(std::vector<float>&& values, std::initializer_list<size_t> shape) {
    auto* kept = new std::vector<float>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<float>*>(p); });
    return {kept->data(), shape, owner};
}

// The rows of a buffer, without copying them. They come back when nobody needs the array any more.
nb::ndarray<nb::numpy, float> lent(engine::Buffer& buffer, size_t rows) {
    struct Loan {
        std::vector<float> values;
        std::shared_ptr<engine::Spare> to;
    };
    auto* loan = new Loan{std::move(buffer.values), buffer.spare};
    nb::capsule owner(loan, [](void* p) noexcept {
        const std::unique_ptr<Loan> back(static_cast<Loan*>(p));
        back->to->give(std::move(back->values));
    });
    return {loan->values.data(), {rows, buffer.width}, owner};
}

nb::ndarray<nb::numpy, float> dequantised(const Matrix& matrix) {
    std::vector<float> values(matrix.outputs() * matrix.inputs());
    for (size_t o = 0; o < matrix.outputs(); ++o) matrix.row(o, &values[o * matrix.inputs()]);
    return array(std::move(values), {matrix.outputs(), matrix.inputs()});
}

// A step's arguments are flat: of each piece its rows, its place in the sequence, its pages, and its slot.
nb::ndarray<nb::numpy, float> run(engine::Program& program, engine::Buffer& made, Flat<int32_t> tokens, Flat<int32_t> counts,
                                  Flat<int32_t> places, Flat<int32_t> pages, Flat<int32_t> page_counts, Flat<int32_t> slots, Flat<int32_t> adapters, Flat<int32_t> wanted) {
    std::vector<engine::Piece> pieces(counts.size());
    std::vector<int32_t> adapter_of_row;
    size_t row = 0;
    const int32_t* page = pages.data();
    for (size_t i = 0; i < pieces.size(); ++i) {
        pieces[i] = {row, static_cast<size_t>(counts.data()[i]), places.data()[i], page, slots.data()[i]};
        row += pieces[i].count;
        adapter_of_row.resize(row, adapters.data()[i]);
        page += page_counts.data()[i];
    }
    const engine::Step step{span(tokens), pieces, span(wanted), adapter_of_row};
    {
        nb::gil_scoped_release release;
        program.run(step);
    }
    return lent(made, wanted.size());
}

}  // namespace

NB_MODULE(_engine, m) {
    nb::set_leak_warnings(false);  // an engine may live until the interpreter ends
    nb::enum_<Format>(m, "Format")
        .value("INT4", Format::INT4)
        .value("INT4_MIN", Format::INT4_MIN)
        .value("INT8", Format::INT8)
        .value("BF16", Format::BF16)
        .value("FP32", Format::FP32);
    nb::enum_<engine::Use>(m, "Use")
        .value("STORE", engine::Use::STORE)
        .value("ADD", engine::Use::ADD)
        .value("GELU", engine::Use::GELU)
        .value("GELU_TANH", engine::Use::GELU_TANH)
        .value("RELU2", engine::Use::RELU2)
        .value("SILU_PRODUCT", engine::Use::SILU_PRODUCT)
        .value("GELU_PRODUCT", engine::Use::GELU_PRODUCT)
        .value("GELU_TANH_PRODUCT", engine::Use::GELU_TANH_PRODUCT);
    nb::enum_<Kept>(m, "Kept").value("FP32", Kept::FP32).value("INT16", Kept::INT16).value("INT8", Kept::INT8);
    m.attr("PAGE") = PAGE;
    m.attr("BLOCK") = BLOCK;
    m.attr("PANEL") = PANEL;
    m.def("room", &room);
    m.def("token_bytes", [](Kept kept, size_t heads, size_t size) { return 2 * heads * keys_bytes(kept, size) / PAGE; });
    m.def("row_bytes", [](uint32_t source, size_t inputs) { return row_bytes(static_cast<Source>(source), inputs); });
    m.def("kinds", [] {
        std::vector<std::string> names;
        for (const char* const* name = kernels_here(); *name; ++name) names.emplace_back(*name);
        return names;
    });
    nb::class_<Matrix>(m, "Matrix")
        .def(nb::init<Format, size_t, size_t>(), "format"_a, "outputs"_a, "inputs"_a)
        .def("fill", &fill, "source"_a, "rows"_a, "outputs"_a, "threads"_a = 1)
        .def_prop_ro("format", &Matrix::format)
        .def_prop_ro("shape", [](const Matrix& matrix) { return std::pair(matrix.outputs(), matrix.inputs()); })
        .def_prop_ro("bytes", &Matrix::bytes)
        .def("dequantised", &dequantised);
    nb::class_<engine::Buffer>(m, "Buffer").def_ro("width", &engine::Buffer::width);
    nb::class_<engine::Angles>(m, "Angles").def("__init__", [](engine::Angles* self, Table<float> cosines, Table<float> sines) {
        new (self) engine::Angles{{cosines.data(), cosines.data() + cosines.size()}, {sines.data(), sines.data() + sines.size()}};
    });
    nb::class_<engine::KeyValues>(m, "KeyValues")
        .def(nb::init<Kept, size_t, size_t, size_t>(), "kept"_a, "pages"_a, "heads"_a, "size"_a);
    nb::class_<engine::LowRank>(m, "LowRank")
        .def("__init__", [](engine::LowRank* self, const Matrix& a, Table<float> b) {
            if (b.shape(1) != a.outputs()) throw nb::value_error("the two matrices are of different ranks");
            nb::gil_scoped_release release;
            new (self) engine::LowRank(a, b.data(), b.shape(0));
        }, "a"_a, "b"_a)
        .def_prop_ro("bytes", &engine::LowRank::bytes);
    nb::class_<engine::Linear>(m, "Linear")
        .def_prop_ro("matrix", &engine::Linear::matrix, nb::rv_policy::reference_internal)
        .def("adapt", &engine::Linear::adapt)
        .def("forget", &engine::Linear::forget);
    auto program = nb::class_<engine::Program>(m, "Program");
    program
        .def("__init__", [](engine::Program* self, const std::string& kind, size_t threads) { new (self) engine::Program(named(kind), threads); })
        .def("buffer", &engine::Program::buffer, "width"_a, "wanted"_a = false, nb::rv_policy::reference_internal)
        .def("embed", [](engine::Program& p, const Matrix& matrix, float factor, const std::optional<Table<float>>& places, engine::Buffer& out) {
            std::vector<float> added;
            if (places) added.assign(places->data(), places->data() + places->size());
            p.add(std::make_unique<engine::Embed>(matrix, factor, std::move(added), out));
        }, "matrix"_a, "factor"_a, "places"_a.none(), "out"_a)
        .def("linear", [](engine::Program& p, engine::Buffer& in, const std::optional<NormArguments>& before, const Matrix& matrix,
                          const std::optional<Flat<float>>& bias, engine::Use use, engine::Buffer& out, size_t column) {
            auto made = std::make_unique<engine::Linear>(in, norm(before), matrix, bias ? floats(*bias) : std::vector<float>(), use, out, column, in.wanted);
            engine::Linear* linear = made.get();
            p.add(std::move(made));
            return linear;
        }, nb::rv_policy::reference_internal, "x"_a, "norm"_a.none(), "matrix"_a, "bias"_a.none(), "use"_a, "out"_a, "column"_a = 0)
        .def("add_norm", [](engine::Program& p, engine::Buffer& in, const std::optional<NormArguments>& after, engine::Buffer& out) {
            p.add(std::make_unique<engine::AddNorm>(in, norm(after), out));
        }, "x"_a, "norm"_a.none(), "out"_a)
        .def("normalise", [](engine::Program& p, engine::Buffer& in, const NormArguments& with, engine::Buffer& out) {
            p.add(std::make_unique<engine::Normalise>(in, norm(with), out));
        })
        .def("cap", [](engine::Program& p, engine::Buffer& x, float most) { p.add(std::make_unique<engine::Cap>(x, most)); })
        .def("attend", [](engine::Program& p, engine::Buffer& in, size_t queries, size_t keys, size_t size, float scale, int32_t window,
                          bool causal, const std::optional<NormArguments>& query_norm, const std::optional<NormArguments>& key_norm,
                          std::shared_ptr<engine::Angles> angles, std::shared_ptr<engine::KeyValues> memory, engine::Buffer& out) {
            engine::Heads heads{queries, keys, size, scale, window, causal, norm(query_norm), norm(key_norm)};
            p.add(std::make_unique<engine::Attend>(in, std::move(heads), std::move(angles), std::move(memory), out));
        }, "x"_a, "queries"_a, "keys"_a, "size"_a, "scale"_a, "window"_a, "causal"_a, "query_norm"_a.none(), "key_norm"_a.none(),
           "angles"_a.none(), "memory"_a, "out"_a)
        .def("gather", [](engine::Program& p, engine::Buffer& in, engine::Buffer& out) { p.add(std::make_unique<engine::Gather>(in, out)); })
        .def("make_room", &engine::Program::make_room)
        .def("run", &run);
    bind_recurrences(m, program);
    bind_experts(m, program);
    bind_rwkv(m, program);
    bind_sampling(m);
}
