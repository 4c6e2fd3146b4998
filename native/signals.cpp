#include "signals.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace signals {

// As Python's round(x, 8): the nearest decimal, judged on the exact binary value.
double rounded(double value) {
    const double scaled = value * 1e8;
    if (std::abs(scaled) < 4e15) {
        const double nearest = std::nearbyint(scaled);
        // Far enough from a tie for the error of the product not to matter; the quotient is exact
        // to the last bit, because both of its sides are.
        if (std::abs(std::abs(scaled - nearest) - 0.5) > 1e-3 + std::abs(scaled) * 1e-15) return nearest / 1e8;
    } else if (!std::isfinite(value)) {
        return value;
    }
    char buffer[400];
    std::snprintf(buffer, sizeof buffer, "%.8f", value);
    return std::strtod(buffer, nullptr);
}

namespace {

bool any(const std::vector<bool>& columns, size_t begin, size_t end) {
    for (size_t i = begin; i < end && i < columns.size(); ++i) {
        if (columns[i]) return true;
    }
    return false;
}

}  // namespace

Asked::Asked(std::vector<bool> document_columns, std::vector<bool> line_columns)
    : documents(std::move(document_columns)), lines(std::move(line_columns)),
      redpajama(any(documents, REDPAJAMA, HEARTH) || any(lines, REDPAJAMA_LINES, C4_LINES) || any(documents, IMPORTANCE, SIZE_MAX)),
      redpajama_words(any(documents, REDPAJAMA, REDPAJAMA + 13)), redpajama_ngrams(any(documents, REDPAJAMA + 13, HEARTH)), redpajama_lines(any(lines, REDPAJAMA_LINES, C4_LINES)),
      importance(any(documents, IMPORTANCE, SIZE_MAX)), duplicates(any(documents, HEARTH, HEARTH + 4)),
      pii(any(documents, HEARTH + 6, HEARTH + 7)), compression(any(documents, HEARTH + 7, GOPHER)),
      hearth(any(documents, HEARTH, GOPHER)), gopher(any(documents, GOPHER, FINEWEB)),
      gopher_ngrams(any(documents, GOPHER + 8, FINEWEB)), fineweb(any(documents, FINEWEB, REFINEDWEB)),
      c4(any(lines, C4_LINES, REFINEDWEB_LINES)),
      refinedweb(any(documents, REFINEDWEB, DOLMA) || any(lines, REFINEDWEB_LINES, ALL_LINES)),
      refinedweb_lines(any(lines, REFINEDWEB_LINES, ALL_LINES)), dolma(any(documents, DOLMA, IMPORTANCE)),
      dolma_ngrams(any(documents, DOLMA + 9, IMPORTANCE)) {}

Table compute(const Strings& texts, const Asked& asked, const Settings& settings, const int8_t* languages) {
    Table table;
    // All columns of a family that has work are written, and those kept that were asked for.
    std::vector<std::vector<double>> lines(ALL_LINES), documents(asked.documents.size());
    size_t most = texts.size();  // lines, or a few less
    for (size_t i = 0; i < texts.size(); ++i) most += text::count(texts[i], '\n');
    const auto reserve = [&](bool wanted, size_t begin, size_t end) {
        for (size_t k = begin; wanted && k < end; ++k) lines[k].reserve(most);
    };
    reserve(asked.redpajama_lines, REDPAJAMA_LINES, C4_LINES);
    reserve(asked.c4, C4_LINES, REFINEDWEB_LINES);
    reserve(asked.refinedweb_lines, REFINEDWEB_LINES, ALL_LINES);
    for (size_t k = 0; k < asked.documents.size(); ++k) {
        if (asked.documents[k]) documents[k].reserve(texts.size());
    }
    table.line_ends.reserve(most);
    table.line_offsets.push_back(0);
    const Views::Wanted wanted{.normalised = asked.redpajama,
                               .tokens = asked.hearth || asked.gopher || asked.c4,
                               .lines = asked.duplicates || asked.fineweb || asked.refinedweb || asked.dolma};
    Views views;
    std::vector<double> values;
    for (size_t i = 0; i < texts.size(); ++i) {
        values.assign(asked.documents.size(), UNDEFINED);
        views.read(texts[i], wanted);
        const auto row = [&](size_t first) { return Row(std::span(values).subspan(first)); };
        const auto columns = [&](size_t begin, size_t end) { return Columns(lines).subspan(begin, end - begin); };
        if (asked.redpajama) {
            redpajama(views, asked, settings, languages[i], row(REDPAJAMA), row(IMPORTANCE), columns(REDPAJAMA_LINES, C4_LINES));
        }
        if (asked.hearth) hearth(views, asked, row(HEARTH));
        if (asked.gopher) gopher(views, asked, row(GOPHER));
        if (asked.fineweb) fineweb(views, row(FINEWEB));
        if (asked.c4) c4(views, columns(C4_LINES, REFINEDWEB_LINES));
        if (asked.refinedweb) refinedweb(views, asked, row(REFINEDWEB), columns(REFINEDWEB_LINES, ALL_LINES));
        if (asked.dolma) dolma(views, asked, row(DOLMA));
        table.lengths.push_back(views.length);
        table.line_ends.insert(table.line_ends.end(), views.line_ends.begin(), views.line_ends.end());
        table.line_offsets.push_back(static_cast<int32_t>(table.line_ends.size()));
        for (size_t k = 0; k < values.size(); ++k) {
            // Importance is a summand of other signals, which are rounded when they are whole.
            if (asked.documents[k]) documents[k].push_back(k < IMPORTANCE ? rounded(values[k]) : values[k]);
        }
    }
    for (size_t k = 0; k < asked.documents.size(); ++k) {
        if (asked.documents[k]) table.documents.push_back(std::move(documents[k]));
    }
    for (size_t k = 0; k < asked.lines.size(); ++k) {
        if (asked.lines[k]) table.lines.push_back(std::move(lines[k]));
    }
    return table;
}

}  // namespace signals
