// Attention over pages of keys and values, without the matrix of scores (Dao et al. 2022,
// arXiv:2205.14135). Included once for each kind of processor.
//
// Every query looks at whole pages from the first on, so that its result is the same whether its
// sequence was computed at once or in chunks, and whatever other queries there are. Within a page
// weights are up to 1; what comes of a page then counts by how its best score compares with the others'.
#pragma once

#include "kernels.h"
#include "lanes.h"
#include "page.h"

namespace OPENHEARTH_ISA {

#if defined(OPENHEARTH_AVX512)
constexpr size_t QUERIES = 12;  // at once: as many as their sums find registers
#else
constexpr size_t QUERIES = 3;
#endif
constexpr float NOTHING = -1e30f, MASKED = -2e30f;

// How far Q queries have come: the best score of each, and the sum of its weights by lanes.
template <size_t Q>
struct Progress {
    alignas(64) float best[LANES], here[LANES];  // the latter on the page at hand
    F totals[Q], added[Q];
    alignas(64) float before[LANES], now[LANES];  // by how much what was there and what is added count

    Progress() {
        store(best, all(NOTHING)), store(here, all(NOTHING));
        for (size_t q = 0; q < Q; ++q) totals[q] = zero();
    }

    void advance() {
        const F old = load(best), page = load(here), larger = max(old, page);
        store(before, power_of_two(old - larger));
        store(now, power_of_two(page - larger));
        store(best, larger);
        for (size_t q = 0; q < Q; ++q) totals[q] = fma(added[q], all(now[q]), totals[q] * all(before[q]));
    }
};

template <size_t Q, Kept KEPT>
void attend_some(const Attention& work, size_t first_query) {
    const size_t width = room(work.size);
    alignas(64) float sums[Q * LONGEST_HEAD], scores[Q][PAGE];
    std::memset(sums, 0, Q * width * sizeof(float));
    int32_t from = INT32_MAX, last = 0;
    for (size_t q = first_query; q < first_query + Q; ++q) {
        const int32_t own = work.lasts[q];
        from = std::min(from, own - std::min(own, work.window - 1));
        last = std::max(last, own);
    }
    constexpr int32_t SIZE = PAGE;
    Progress<Q> progress;
    Page<Q, KEPT> page(work, first_query);
    for (int32_t number = from / SIZE; number <= last / SIZE; ++number) {
        const int32_t begin = number * SIZE;
        page.turn(work.memory + static_cast<size_t>(work.pages[number]) * work.page_bytes, static_cast<size_t>(std::min(SIZE, last - begin + 1)));
        page.scores(scores);
        for (size_t q = 0; q < Q; ++q) {
            const Sight sight(work, first_query + q, begin);
            F one = load(scores[q]), other = load(scores[q] + LANES);
            if (!sight.whole()) one = sight.of(one, 0, all(MASKED)), other = sight.of(other, LANES, all(MASKED));
            const float best = progress.here[q] = largest(max(one, other));
            one = power_of_two(one - all(best)), other = power_of_two(other - all(best));
            if (!sight.whole()) one = sight.of(one, 0, zero()), other = sight.of(other, LANES, zero());
            progress.added[q] = page.weigh(q, one, other, sight);
        }
        progress.advance();
        page.add(progress.before, progress.now, sums);
    }
    for (size_t q = 0; q < Q; ++q) {
        float* own = sums + q * width;
        const F total = all(sum(progress.totals[q]));
        for (size_t d = 0; d < work.size; d += LANES) store(own + d, load(own + d) / total);
        std::memcpy(work.outputs[first_query + q], own, work.size * sizeof(float));
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
        case Kept::INT16: return attend_all<Kept::INT16>(work);
        case Kept::INT8: return attend_all<Kept::INT8>(work);
    }
}

}  // namespace OPENHEARTH_ISA
