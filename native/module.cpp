// The Python face of the native kernels. Each releases the GIL while it works.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "features.h"
#include "hash.h"
#include "minhash.h"
#include "seen.h"
#include "sha1.h"
#include "signals.h"

namespace nb = nanobind;

namespace {

template <class T>
using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bytes = Array<uint8_t>;
using Offsets = Array<int32_t>;

Strings strings(const Bytes& bytes, const Offsets& offsets) {
    return {reinterpret_cast<const char*>(bytes.data()), offsets.data(), offsets.size() ? offsets.size() - 1 : 0};
}

// A vector as a NumPy array that owns it.
template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> array(std::vector<T>&& values) {
    auto* kept = new std::vector<T>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return {kept->data(), {kept->size()}, owner};
}

template <class T>
nb::list arrays(std::vector<std::vector<T>>&& columns) {
    nb::list out;
    for (auto& column : columns) out.append(array(std::move(column)));
    return out;
}

// Lists of one language: stop words, and entries of bad words grouped by their number of words.
signals::Lists lists(const std::vector<std::string>& stop_words, const std::vector<std::vector<std::string>>& bad_words) {
    signals::Lists out;
    for (const auto& word : stop_words) out.stop_words.insert(hash::quick(word));
    for (const auto& entries : bad_words) {
        auto& group = out.bad_words.emplace_back();
        for (const auto& entry : entries) group.insert(hash::quick(entry));
    }
    return out;
}

nb::tuple compute_signals(Bytes bytes, Offsets offsets, const std::vector<bool>& documents, const std::vector<bool>& lines,
                          const signals::Settings& settings, Array<int8_t> languages) {
    signals::Table table;
    {
        nb::gil_scoped_release release;
        table = signals::compute(strings(bytes, offsets), {documents, lines}, settings, languages.data());
    }
    return nb::make_tuple(arrays(std::move(table.documents)), arrays(std::move(table.lines)),
                          array(std::move(table.line_offsets)), array(std::move(table.line_ends)),
                          array(std::move(table.lengths)));
}

// Texts whose offsets are of either of Arrow's widths.
template <class Offset>
text::Texts texts(const Bytes& bytes, const Array<Offset>& offsets) {
    text::Texts out;
    out.reserve(offsets.size());
    for (size_t i = 0; i + 1 < offsets.size(); ++i) {
        const auto begin = static_cast<size_t>(offsets(i)), end = static_cast<size_t>(offsets(i + 1));
        out.emplace_back(reinterpret_cast<const char*>(bytes.data()) + begin, end - begin);
    }
    return out;
}

nb::tuple signatures(minhash::Signatures&& found) { return nb::make_tuple(array(std::move(found.values)), array(std::move(found.valid))); }

nb::tuple spans(seen::Spans&& found) {
    return nb::make_tuple(array(std::move(found.begins)), array(std::move(found.ends)), array(std::move(found.offsets)));
}

template <class T>
std::span<const T> span(const Array<T>& values) {
    return {values.data(), values.size()};
}

template <class Offset>
void bind_dedup(nb::module_& module) {
    using Places = Array<Offset>;
    module.def("minhash_sha1", [](Bytes bytes, Places offsets, size_t words, Array<uint64_t> a, Array<uint64_t> b) {
        minhash::Signatures found;
        {
            nb::gil_scoped_release release;
            found = minhash::by_sha1(texts(bytes, offsets), words, span(a), span(b));
        }
        return signatures(std::move(found));
    });
    module.def("minhash_runs", [](Bytes bytes, Places offsets, size_t words, Array<uint32_t> a) {
        minhash::Signatures found;
        {
            nb::gil_scoped_release release;
            found = minhash::by_runs(texts(bytes, offsets), words, span(a));
        }
        return signatures(std::move(found));
    });
    module.def("normalise", [](Bytes bytes, Places offsets) {
        text::Joined joined;
        {
            nb::gil_scoped_release release;
            joined = text::normalise(texts(bytes, offsets));
        }
        return nb::make_tuple(array(std::move(joined.bytes)), array(std::move(joined.offsets)));
    });
    module.def("paragraph_keys", [](Bytes bytes, Places offsets, bool normalised) {
        seen::Keys found;
        {
            nb::gil_scoped_release release;
            found = seen::paragraphs(texts(bytes, offsets), normalised);
        }
        return nb::make_tuple(array(std::move(found.values)), array(std::move(found.offsets)));
    });
    module.def("run_keys", [](Bytes bytes, Places offsets, size_t n) {
        seen::Keys found;
        {
            nb::gil_scoped_release release;
            found = seen::runs(texts(bytes, offsets), n);
        }
        return nb::make_tuple(array(std::move(found.values)), array(std::move(found.offsets)));
    });
    module.def("known_spans", [](Bytes bytes, Places offsets, size_t n, Array<uint64_t> keys, Array<uint64_t> starts, unsigned shift) {
        seen::Spans found;
        {
            nb::gil_scoped_release release;
            found = seen::known(texts(bytes, offsets), {span(keys), span(starts), shift}, n);
        }
        return spans(std::move(found));
    });
    module.def("covered_spans", [](Bytes bytes, Places offsets, size_t n, Array<uint8_t> known) {
        seen::Spans found;
        {
            nb::gil_scoped_release release;
            found = seen::covered(texts(bytes, offsets), span(known), n);
        }
        return spans(std::move(found));
    });
}

template <class Offset>
void bind_features(nb::module_& module) {
    module.def("count_features", [](Bytes bytes, Array<Offset> offsets, size_t buckets) {
        std::vector<int64_t> counts;
        {
            nb::gil_scoped_release release;
            counts = features::count(texts(bytes, offsets), buckets);
        }
        return array(std::move(counts));
    });
}

}  // namespace

NB_MODULE(_native, module) {
    module.doc() = "Native kernels; a plain Python module in openhearth says what each computes.";
    nb::class_<signals::Lists>(module, "Lists").def("__init__", [](signals::Lists* self, const std::vector<std::string>& stop_words,
                                                                     const std::vector<std::vector<std::string>>& bad_words) {
        new (self) signals::Lists(lists(stop_words, bad_words));
    });
    nb::class_<signals::Settings>(module, "Settings")
        .def("__init__", [](signals::Settings* self, const std::vector<signals::Lists>& languages, Array<double> importance, size_t domains) {
            new (self) signals::Settings{languages, {importance.data(), importance.data() + importance.size()}, domains};
        });
    module.def("signals", &compute_signals, nb::arg("bytes"), nb::arg("offsets"), nb::arg("documents"),
               nb::arg("lines"), nb::arg("settings"), nb::arg("languages"),
               "Document columns, line columns, line offsets, line ends and lengths of a batch of texts.");
    module.def("xxh64", [](Bytes bytes) {
        return hash::xxh64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    });

    // Selection and de-duplication; texts come with offsets of 32 or of 64 bits.
    bind_features<int32_t>(module);
    bind_features<int64_t>(module);
    bind_dedup<int32_t>(module);
    bind_dedup<int64_t>(module);
    module.def("bloom_pass", [](nb::ndarray<uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu> words, Array<uint64_t> keys, Offsets offsets, bool at_once) {
        std::vector<uint8_t> found;
        {
            nb::gil_scoped_release release;
            found = seen::Bloom({words.data(), words.size()}).pass(span(keys), span(offsets), at_once);
        }
        return array(std::move(found));
    });
    module.def("sha1_firsts", [](Bytes bytes) {
        const std::string_view message{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
        return nb::make_tuple(sha1::first(message), sha1::first_portably(message));
    });
    module.def("band_keys", [](Array<uint32_t> signatures, size_t stride, size_t bands, size_t rows) {
        std::vector<uint64_t> found;
        {
            nb::gil_scoped_release release;
            found = minhash::keys(span(signatures), stride, bands, rows);
        }
        return array(std::move(found));
    });
}
