// Attention over pages of keys and values, without the matrix of scores (Dao et al. 2022,
// arXiv:2205.14135). Included once for each kind of processor.
//
// Every query looks at whole pages from the first on, so that its result is the same whether its
// sequence was computed at once or in chunks, and whatever other queries there are.
#pragma once

#include <type_traits>

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

template <Kept KEPT>
using NumberOf = std::conditional_t<KEPT == Kept::FP32, float, std::conditional_t<KEPT == Kept::FP16, Half, int8_t>>;

// By how much the numbers of a page's tokens are to be multiplied, from `token` on.
template <Kept KEPT>
F scales(const uint8_t* numbers, size_t size, size_t token) {
    if constexpr (KEPT != Kept::INT8) return all(1.0f);
    return load(reinterpret_cast<const Half*>(numbers + numbers_bytes(KEPT, size)) + token);
}

// The scores of Q queries against one page.
template <size_t Q, Kept KEPT>
void scores(const Attention& work, size_t first_query, const uint8_t* page, float (*out)[PAGE]) {
    const auto* keys = reinterpret_cast<const NumberOf<KEPT>*>(page);
    F low[Q], high[Q];
    for (size_t q = 0; q < Q; ++q) low[q] = high[q] = zero();
    for (size_t d = 0; d < room(work.size); ++d, keys += PAGE) {
        const F one = load(keys), other = load(keys + LANES);
        for (size_t q = 0; q < Q; ++q) {
            const F x = all(work.queries[first_query + q][d]);
            low[q] = fma(x, one, low[q]);
            high[q] = fma(x, other, high[q]);
        }
    }
    for (size_t q = 0; q < Q; ++q) {
        store(out[q], low[q] * (scales<KEPT>(page, work.size, 0) * all(work.scale)));
        store(out[q] + LANES, high[q] * (scales<KEPT>(page, work.size, LANES) * all(work.scale)));
    }
}

// Adds a page's values, each as much as its weight says, to sums that first are scaled.
template <size_t Q, class Number>
void weigh(const Attention& work, const Number* values, const float (*weights)[PAGE], const float* factors, float (*sums)[LONGEST_HEAD],
           size_t tokens) {
    const size_t width = room(work.size);
    for (size_t d = 0; d < width; d += LANES) {
        F total[Q];
        for (size_t q = 0; q < Q; ++q) total[q] = load(sums[q] + d) * all(factors[q]);
        for (size_t t = 0; t < tokens; ++t) {
            const F value = load(values + t * width + d);
            for (size_t q = 0; q < Q; ++q) total[q] = fma(all(weights[q][t]), value, total[q]);
        }
        for (size_t q = 0; q < Q; ++q) store(sums[q] + d, total[q]);
    }
}

template <size_t Q, Kept KEPT>
void attend_some(const Attention& work, size_t first_query) {
    alignas(64) float sums[Q][LONGEST_HEAD], weights[Q][PAGE];
    float most[Q], totals[Q], factors[Q];
    int32_t from = INT32_MAX, last = 0;
    for (size_t q = 0; q < Q; ++q) {
        const int32_t own = work.lasts[first_query + q];
        from = std::min(from, own - std::min(own, work.window - 1));
        last = std::max(last, own);
        most[q] = NOTHING, totals[q] = 0;
        std::memset(sums[q], 0, room(work.size) * sizeof(float));
    }
    constexpr int32_t SIZE = PAGE;
    for (int32_t page = from / SIZE; page <= last / SIZE; ++page) {
        const uint8_t* keys = work.memory + static_cast<size_t>(work.pages[page]) * work.page_bytes;
        const uint8_t* values = keys + keys_bytes(KEPT, work.size);
        scores<Q, KEPT>(work, first_query, keys, weights);
        const int32_t begin = page * SIZE;
        for (size_t q = 0; q < Q; ++q) {
            const int32_t own = work.lasts[first_query + q], visible = own - begin + 1;
            const int32_t hidden = own - std::min(own, work.window - 1) - begin;  // tokens before the window
            F one = first(load(weights[q]), visible, all(MASKED)), other = first(load(weights[q] + LANES), visible - 16, all(MASKED));
            if (hidden > 0) one = first(all(MASKED), hidden, one), other = first(all(MASKED), hidden - 16, other);
            const float before = most[q];
            most[q] = std::max(before, largest(max(one, other)));
            one = exponential(one - all(most[q]));
            other = exponential(other - all(most[q]));
            // exp of what is masked is tiny, but it must be nothing.
            one = first(one, visible, zero()), other = first(other, visible - 16, zero());
            if (hidden > 0) one = first(zero(), hidden, one), other = first(zero(), hidden - 16, other);
            store(weights[q], one * scales<KEPT>(values, work.size, 0));
            store(weights[q] + LANES, other * scales<KEPT>(values, work.size, LANES));
            float factor[LANES];
            store(factor, exponential(all(before - most[q])));
            factors[q] = before == NOTHING ? 0.0f : before == most[q] ? 1.0f : factor[0];
            totals[q] = totals[q] * factors[q] + sum(one + other);
        }
        const size_t tokens = static_cast<size_t>(std::min(SIZE, last - begin + 1));
        weigh<Q>(work, reinterpret_cast<const NumberOf<KEPT>*>(values), weights, factors, sums, tokens);
    }
    for (size_t q = 0; q < Q; ++q) {
        for (size_t d = 0; d < work.size; d += LANES) store(sums[q] + d, load(sums[q] + d) / all(totals[q]));
        std::memcpy(work.outputs[first_query + q], sums[q], work.size * sizeof(float));
    }
}

template <size_t Q, Kept KEPT>
void attend_rest(const Attention& work, size_t first_query) {
    if constexpr (Q > 0) {
        if (work.count - first_query == Q) return attend_some<Q, KEPT>(work, first_query);
        attend_rest<Q - 1, KEPT>(work, first_query);
    }
}

template <Kept KEPT>
void attend_all(const Attention& work) {
    size_t done = 0;
    for (; work.count - done >= QUERIES; done += QUERIES) attend_some<QUERIES, KEPT>(work, done);
    attend_rest<QUERIES - 1, KEPT>(work, done);
}

inline void attend(Kept kept, const Attention& work) {
    switch (kept) {
        case Kept::FP32: return attend_all<Kept::FP32>(work);
        case Kept::FP16: return attend_all<Kept::FP16>(work);
        case Kept::INT8: return attend_all<Kept::INT8>(work);
    }
}

}  // namespace OPENHEARTH_ISA
