// The Python face of the native kernels. Each releases the GIL while it works.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cmath>

#include "signals.h"

namespace nb = nanobind;

namespace {

nb::list numbers(const std::vector<double>& values) {
    nb::list out;
    for (double value : values) {
        if (std::isnan(value)) {
            out.append(nb::none());
        } else {
            out.append(value);
        }
    }
    return out;
}

nb::list signals(const std::vector<std::string>& texts, const std::vector<std::string>& stop_words) {
    std::vector<Signals> rows(texts.size());
    {
        nb::gil_scoped_release release;
        const std::unordered_set<std::string> stops(stop_words.begin(), stop_words.end());
        for (size_t i = 0; i < texts.size(); ++i) rows[i] = compute_signals(texts[i], stops);
    }
    nb::list out;
    for (const Signals& row : rows) {
        nb::list lines;
        for (const auto& values : row.lines) lines.append(numbers(values));
        out.append(nb::make_tuple(numbers(row.document), lines));
    }
    return out;
}

}  // namespace

NB_MODULE(_native, module) {
    module.doc() = "Native kernels; openhearth/data/signals/reference.py says what they compute.";
    module.def("signals", &signals, nb::arg("texts"), nb::arg("stop_words"),
               "Document and line signals of ASCII texts: a list of (document, lines).");
}
