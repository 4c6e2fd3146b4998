// What attention makes of one page of keys and values, for Q queries at once: scores of its tokens, and
// the sum of their values by weights. Included once for each kind of processor.
#pragma once

#include <type_traits>

#include "kernels.h"
#include "lanes.h"
#include "pairs.h"

namespace OPENHEARTH_ISA {

constexpr size_t LONGEST_HEAD = 512;
constexpr float LOG2_E = 1.44269504f;

#if defined(OPENHEARTH_AVX512)
constexpr size_t TOGETHER = 2;  // registers of a token's value that are summed at once
#else
constexpr size_t TOGETHER = 1;
#endif

// Which tokens of a page that begins at `begin` a query sees.
struct Sight {
    int hidden, visible;  // how many lie before its window, and how many not behind itself

    Sight(const Attention& work, size_t query, int32_t begin) {
        const int32_t own = work.lasts[query];
        hidden = own - std::min(own, work.window - 1) - begin;
        visible = own - begin + 1;
    }
    bool whole() const { return hidden <= 0 && visible >= static_cast<int>(PAGE); }
    F of(F x, int token, F other) const {
        x = first(x, visible - token, other);
        return hidden > 0 ? first(other, hidden - token, x) : x;
    }
};

// Keys [room][PAGE] and values [PAGE][room] in fp32.
template <size_t Q>
class Floats {
public:
    Floats(const Attention& work, size_t first_query) : work_(work), queries_(work.queries + first_query), width_(room(work.size)) {}

    // To a page, whose first tokens are there.
    void turn(const uint8_t* page, size_t tokens) {
        keys_ = reinterpret_cast<const float*>(page);
        values_ = keys_ + width_ * PAGE;
        tokens_ = tokens;
    }

    // Binary logarithms of weights.
    [[gnu::noinline]] void scores(float (*out)[PAGE]) const {
        F low[Q], high[Q];
        for (size_t q = 0; q < Q; ++q) low[q] = high[q] = zero();
        for (size_t d = 0; d < width_; ++d) {
            const F one = load(keys_ + d * PAGE), other = load(keys_ + d * PAGE + LANES);
            for (size_t q = 0; q < Q; ++q) {
                const F x = all(queries_[q][d]);
                low[q] = fma(x, one, low[q]);
                high[q] = fma(x, other, high[q]);
            }
        }
        const F factor = all(work_.scale * LOG2_E);
        for (size_t q = 0; q < Q; ++q) store(out[q], low[q] * factor), store(out[q] + LANES, high[q] * factor);
    }

    // Takes a query's weights; what they sum up to, by lanes.
    F weigh(size_t q, F low, F high, const Sight&) {
        store(weights_[q], low), store(weights_[q] + LANES, high);
        return low + high;
    }

    // sums [Q][room] = before * sums + now * what the weights make of the values.
    [[gnu::noinline]] void add(const float* before, const float* now, float* sums) const {
        for (size_t d = 0; d < width_; d += LANES) {
            F total[Q];
            for (size_t q = 0; q < Q; ++q) total[q] = zero();
            for (size_t t = 0; t < tokens_; ++t) {
                const F value = load(values_ + t * width_ + d);
                for (size_t q = 0; q < Q; ++q) total[q] = fma(all(weights_[q][t]), value, total[q]);
            }
            for (size_t q = 0; q < Q; ++q) {
                float* sum = sums + q * width_ + d;
                store(sum, fma(total[q], all(now[q]), load(sum) * all(before[q])));
            }
        }
    }

private:
    const Attention& work_;
    const float* const* queries_;
    size_t width_, tokens_ = 0;
    const float *keys_ = nullptr, *values_ = nullptr;
    alignas(64) float weights_[Q][PAGE];
};

// Keys [room / 2][PAGE][2] and values [PAGE / 2][room][2] in whole numbers, with a scale for each token.
// Queries and weights become whole numbers of sixteen bits, as large as the sums allow.
template <size_t Q, class Number>
class Wholes {
public:
    Wholes(const Attention& work, size_t first_query) : width_(room(work.size)) {
        for (size_t q = 0; q < Q; ++q) {
            factors_[q] = narrow(work.queries[first_query + q], width_, largest_factor(width_), queries_ + q * width_) * (work.scale * LOG2_E);
        }
    }

    void turn(const uint8_t* page, size_t tokens) {
        constexpr size_t SCALES = PAGE * sizeof(float);
        keys_ = reinterpret_cast<const Number*>(page);
        const uint8_t* values = page + width_ * PAGE * sizeof(Number) + SCALES;
        values_ = reinterpret_cast<const Number*>(values);
        key_scales_ = reinterpret_cast<const float*>(values - SCALES);
        const auto* scales = reinterpret_cast<const float*>(values + width_ * PAGE * sizeof(Number));
        low_ = load(scales), high_ = load(scales + LANES);
        whole_ = shares(low_, high_);
        pairs_ = (tokens + 1) / 2;
    }

    [[gnu::noinline]] void scores(float (*out)[PAGE]) const {
        Sums low[Q], high[Q];
        for (size_t q = 0; q < Q; ++q) low[q] = high[q] = nothing();
        for (size_t d = 0; d < width_; d += 2) {
            const Pairs one = pairs(keys_ + d * PAGE), other = pairs(keys_ + d * PAGE + 2 * LANES);
            for (size_t q = 0; q < Q; ++q) {
                const Pairs x = all_pairs(queries_ + q * width_ + d);
                low[q] = dot(x, one, low[q]);
                high[q] = dot(x, other, high[q]);
            }
        }
        const F one = load(key_scales_), other = load(key_scales_ + LANES);
        for (size_t q = 0; q < Q; ++q) {
            store(out[q], floats(low[q]) * (one * all(factors_[q])));
            store(out[q] + LANES, floats(high[q]) * (other * all(factors_[q])));
        }
    }

    F weigh(size_t q, F low, F high, const Sight& sight) {
        const Shares own = sight.whole() ? whole_ : shares(sight.of(low_, 0, zero()), sight.of(high_, LANES, zero()));
        const F most = all(largest_factor(PAGE));
        store(weights_[q], min(low * own.low, most)), store(weights_[q] + LANES, min(high * own.high, most));
        units_[q] = own.unit;
        return low + high;
    }

    [[gnu::noinline]] void add(const float* before, const float* now, float* sums) const {
        for (size_t d = 0; d < width_; d += TOGETHER * LANES) {
            Sums total[Q][TOGETHER];
            for (auto& of_query : total) {
                for (Sums& some : of_query) some = nothing();
            }
            for (size_t p = 0; p < pairs_; ++p) {
                Pairs value[TOGETHER];
                for (size_t i = 0; i < TOGETHER; ++i) value[i] = pairs(values_ + 2 * (p * width_ + d + i * LANES));
                for (size_t q = 0; q < Q; ++q) {
                    const Pairs weight = all_pairs(weights_[q] + 2 * p);
                    for (size_t i = 0; i < TOGETHER; ++i) total[q][i] = dot(weight, value[i], total[q][i]);
                }
            }
            for (size_t q = 0; q < Q; ++q) {
                const F old = all(before[q]), here = all(now[q] * units_[q]);
                for (size_t i = 0; i < TOGETHER; ++i) {
                    float* sum = sums + q * width_ + d + i * LANES;
                    store(sum, fma(floats(total[q][i]), here, load(sum) * old));
                }
            }
        }
    }

private:
    // What the weights of tokens are to be multiplied by, by scales of their values, and what of them is 1.
    struct Shares {
        F low, high;
        float unit;
    };
    static Shares shares(F low, F high) {
        const float top = largest(max(low, high)), most = largest_factor(PAGE);
        const F factor = all(top > 0 ? most / top : 0.0f);
        const F strange = fma(low, zero(), high * zero());  // no number if a scale is none
        return {low * factor, high * factor, top / most + sum(strange)};
    }

    size_t width_, pairs_ = 0;
    const Number *keys_ = nullptr, *values_ = nullptr;
    const float* key_scales_ = nullptr;
    F low_, high_;  // scales of values
    Shares whole_;  // if a query sees the whole page
    alignas(64) int16_t queries_[Q * LONGEST_HEAD], weights_[Q][PAGE];
    float factors_[Q], units_[Q];
};

template <size_t Q, Kept KEPT>
using Page = std::conditional_t<KEPT == Kept::FP32, Floats<Q>, Wholes<Q, std::conditional_t<KEPT == Kept::INT16, int16_t, int8_t>>>;

}  // namespace OPENHEARTH_ISA
