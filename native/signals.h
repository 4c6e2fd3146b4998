// The quality signals of a batch of texts. Python modules of the same names, in
// openhearth/data/signals, say what each signal is; their order is the order of the columns here.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <vector>

#include "batch.h"
#include "hash.h"
#include "views.h"

namespace signals {

constexpr double UNDEFINED = std::numeric_limits<double>::quiet_NaN();

// The document and line signals of each family, in the order of the columns.
enum Documents { REDPAJAMA = 0, HEARTH = 22, GOPHER = 30, FINEWEB = 47, REFINEDWEB = 50, DOLMA = 61, IMPORTANCE = 79 };
enum Lines { REDPAJAMA_LINES = 0, C4_LINES = 6, REFINEDWEB_LINES = 14, ALL_LINES = 20 };

// Which columns are asked for, and so which parts of the work are to be done.
class Asked {
public:
    Asked(std::vector<bool> documents, std::vector<bool> lines);
    const std::vector<bool> documents, lines;
    const bool redpajama, redpajama_words, redpajama_ngrams, redpajama_lines, importance, duplicates, pii, compression, hearth, gopher,
        gopher_ngrams, fineweb, c4, refinedweb, refinedweb_lines, dolma, dolma_ngrams;
};

// Hashes (hash::quick) of the lists of one language.
struct Lists {
    hash::Set stop_words;
    std::vector<hash::Set> bad_words;  // by the number of words of an entry
};

struct Settings {
    std::vector<Lists> languages;
    // The importance of a text for each of `domains`: the sum of its features' weights, which are
    // laid out as [bucket][domain].
    std::vector<double> importance;
    size_t domains = 0;
};

// The document signals of one text, written one after another; undefined where they are skipped.
class Row {
public:
    explicit Row(std::span<double> values) : at_(values.data()) {}
    void add(double value) { *at_++ = value; }
    void add(std::initializer_list<double> values) {
        for (double value : values) add(value);
    }
    void skip(size_t count) { at_ += count; }

private:
    double* at_;
};

using Columns = std::span<std::vector<double>>;  // line signals, each with a value a line

// Each family writes its document signals to `row`, and to each of its columns a value for every line.
void redpajama(Views&, const Asked&, const Settings&, int language, Row row, Row importance, Columns lines);
void hearth(Views&, const Asked&, Row row);
void gopher(Views&, const Asked&, Row row);
void fineweb(Views&, Row row);
void c4(Views&, Columns lines);
void refinedweb(Views&, const Asked&, Row row, Columns lines);
void dolma(Views&, const Asked&, Row row);

// To eight decimals, as the reference rounds. Families round line signals that are no whole numbers.
double rounded(double value);

inline double share(double count, double total) { return total ? count / total : UNDEFINED; }
inline double share_or_zero(double count, double total) { return total ? count / total : 0.0; }

// The signals of a batch: a column for each document signal asked for; for each line signal one with
// the values of all lines of all texts. `line_ends` are in characters of their text.
struct Table {
    std::vector<std::vector<double>> documents, lines;
    std::vector<int32_t> line_offsets;  // where each text's lines begin
    std::vector<uint32_t> line_ends, lengths;
};

// `languages` says for each text which of the settings' lists are its, or -1 for none.
Table compute(const Strings& texts, const Asked& asked, const Settings& settings, const int8_t* languages);

}  // namespace signals
