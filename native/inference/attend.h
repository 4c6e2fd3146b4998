// Attention over pages of keys and values, without the matrix of scores (Dao et al. 2022,
// arXiv:2205.14135). Included once for each kind of processor.
//
// Every query looks at whole pages from the first on, so that its result is the same whether its
// sequence was computed at once or in chunks, and whatever other queries there are.
#pragma once

#include "kernels.h"
#include "lanes.h"

namespace OPENHEARTH_ISA {

#if defined(OPENHEARTH_AVX512)
constexpr size_t QUERIES = 12;  // at once: as many as their sums find registers
#else
constexpr size_t QUERIES = 3;
#endif
constexpr size_t LONGEST_HEAD = 512;
constexpr float NOTHING = -1e30f, MASKED = -2e30f;

// The scores of Q queries against one page.
template <size_t Q, class Number>
void scores(const Attention& work, size_t first_query, const Number* keys, float (*out)[PAGE]) {
    F low[Q], high[Q];
    for (size_t q = 0; q < Q; ++q) low[q] = high[q] = zero();
    for (size_t d = 0; d < work.head_dim; ++d, keys += PAGE) {
        const F one = load(keys), other = load(keys + LANES);
        for (size_t q = 0; q < Q; ++q) {
            const F x = all(work.queries[first_query + q][d]);
            low[q] = fma(x, one, low[q]);
            high[q] = fma(x, other, high[q]);
        }
    }
    for (size_t q = 0; q < Q; ++q) {
        store(out[q], low[q] * all(work.scale));
        store(out[q] + LANES, high[q] * all(work.scale));
    }
}

// Adds a page's values, each as much as its weight says, to sums that first are scaled.
template <size_t Q, class Number>
void weigh(const Attention& work, const Number* values, const float (*weights)[PAGE], const float* factors, float (*sums)[LONGEST_HEAD],
           size_t tokens) {
    for (size_t d = 0; d < work.head_dim; d += LANES) {
        F total[Q];
        for (size_t q = 0; q < Q; ++q) total[q] = load(sums[q] + d) * all(factors[q]);
        for (size_t t = 0; t < tokens; ++t) {
            const F value = load(values + t * work.head_dim + d);
            for (size_t q = 0; q < Q; ++q) total[q] = fma(all(weights[q][t]), value, total[q]);
        }
        for (size_t q = 0; q < Q; ++q) store(sums[q] + d, total[q]);
    }
}

template <size_t Q, class Number>
void attend_some(const Attention& work, size_t first_query) {
    alignas(64) float sums[Q][LONGEST_HEAD], weights[Q][PAGE];
    float most[Q], totals[Q], factors[Q];
    int32_t from = INT32_MAX, last = 0;
    for (size_t q = 0; q < Q; ++q) {
        const int32_t place = work.places[first_query + q];
        from = std::min(from, place - std::min(place, work.window - 1));
        last = std::max(last, place);
        most[q] = NOTHING, totals[q] = 0;
        std::memset(sums[q], 0, work.head_dim * sizeof(float));
    }
    constexpr int32_t SIZE = PAGE;
    for (int32_t page = from / SIZE; page <= last / SIZE; ++page) {
        const size_t at = static_cast<size_t>(work.pages[page]) * work.page_stride;
        scores<Q>(work, first_query, static_cast<const Number*>(work.keys) + at, weights);
        const int32_t begin = page * SIZE;
        for (size_t q = 0; q < Q; ++q) {
            const int32_t place = work.places[first_query + q], visible = place - begin + 1;
            const int32_t hidden = place - std::min(place, work.window - 1) - begin;  // tokens before the window
            F one = first(load(weights[q]), visible, all(MASKED)), other = first(load(weights[q] + LANES), visible - 16, all(MASKED));
            if (hidden > 0) one = first(all(MASKED), hidden, one), other = first(all(MASKED), hidden - 16, other);
            const float before = most[q];
            most[q] = std::max(before, largest(max(one, other)));
            one = exponential(one - all(most[q]));
            other = exponential(other - all(most[q]));
            // exp of what is masked is tiny, but it must be nothing.
            one = first(one, visible, zero()), other = first(other, visible - 16, zero());
            if (hidden > 0) one = first(zero(), hidden, one), other = first(zero(), hidden - 16, other);
            store(weights[q], one);
            store(weights[q] + LANES, other);
            float factor[LANES];
            store(factor, exponential(all(before - most[q])));
            factors[q] = before == NOTHING ? 0.0f : before == most[q] ? 1.0f : factor[0];
            totals[q] = totals[q] * factors[q] + sum(one + other);
        }
        const size_t tokens = static_cast<size_t>(std::min(SIZE, last - begin + 1));
        weigh<Q>(work, static_cast<const Number*>(work.values) + at, weights, factors, sums, tokens);
    }
    for (size_t q = 0; q < Q; ++q) {
        const F total = all(totals[q]);
        for (size_t d = 0; d < work.head_dim; d += LANES) store(work.outputs[first_query + q] + d, load(sums[q] + d) / total);
    }
}

template <size_t Q, class Number>
void attend_rest(const Attention& work, size_t first_query) {
    if constexpr (Q > 0) {
        if (work.count - first_query == Q) return attend_some<Q, Number>(work, first_query);
        attend_rest<Q - 1, Number>(work, first_query);
    }
}

template <class Number>
void attend(const Attention& work) {
    size_t done = 0;
    for (; work.count - done >= QUERIES; done += QUERIES) attend_some<QUERIES, Number>(work, done);
    attend_rest<QUERIES - 1, Number>(work, done);
}

}  // namespace OPENHEARTH_ISA
