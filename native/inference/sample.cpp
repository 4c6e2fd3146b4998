#include "sample.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "noise.h"

namespace engine {

namespace {

constexpr float INFINITE = std::numeric_limits<float>::infinity(), NEVER = -INFINITE;
constexpr float LIKELY = -7;  // a distance; the few tokens above it have most of the probability
constexpr size_t GROUP = 16, CHUNK = 64;  // tokens that are looked at together

// The distance below the likeliest, in factors of two.
Floats halvings(Floats distances) { return (distances > -83.0f ? distances : Floats{} - 83.0f) * -1.44269504f; }

// A token's share of the likeliest's probability, in whole multiples of 2^-30: sums of whole numbers do
// not depend on their order.
Integers weights(Floats distances) { return __builtin_convertvector(power(halvings(distances)) * 0x1p30f, Integers); }

Floats four_at(const float* at) {
    Floats values;
    std::memcpy(&values, at, sizeof values);
    return values;
}

bool any(Integers lanes) {
    const auto pair = std::bit_cast<std::array<uint64_t, 2>>(lanes);
    return pair[0] | pair[1];
}

// Whether any of a group of values is as large.
bool reaches(const float* values, float least) {
    Integers found{};
    for (size_t k = 0; k < GROUP; k += 4) found |= four_at(values + k) >= least;
    return any(found);
}

float maximum_of(Floats lanes) { return std::max({lanes[0], lanes[1], lanes[2], lanes[3]}); }

// Logits of a row, padded to whole chunks with what is never chosen; and the largest of each chunk, which
// is infinite if one of them is no number below infinity.
struct Row {
    std::vector<float> values, most;
    size_t size;

    float* begin() { return values.data(); }
    float* end() { return values.data() + size; }

    void load(const float* logits, size_t vocabulary) {
        most.resize((vocabulary + CHUNK - 1) / CHUNK);
        size = most.size() * CHUNK;
        values.resize(size);
        for (size_t chunk = 0; chunk < most.size(); ++chunk) {
            const size_t at = chunk * CHUNK, some = std::min(CHUNK, vocabulary - at);
            std::fill(std::copy(logits + at, logits + at + some, begin() + at), begin() + at + CHUNK, NEVER);
            measure(chunk);
        }
    }
    void measure(size_t chunk) {
        Floats largest = Floats{} + NEVER;
        Integers broken{};
        for (float* v = begin() + chunk * CHUNK; v < begin() + (chunk + 1) * CHUNK; v += 4) {
            const Floats four = four_at(v);
            largest = four > largest ? four : largest;
            broken |= ~(four < INFINITE);
        }
        most[chunk] = any(broken) ? INFINITE : maximum_of(largest);
    }
    void put(size_t token, float value) {
        values[token] = value;
        measure(token / CHUNK);
    }
    // Calls `take` with four values at a time.
    template <class Take>
    void each(Take take) {
        for (float* v = begin(); v < end(); v += 4) take(four_at(v));
    }
    float maximum() const { return *std::max_element(most.begin(), most.end()); }
    size_t first(float value) {
        const auto chunk = std::find(most.begin(), most.end(), value) - most.begin();
        return static_cast<size_t>(std::find(begin() + chunk * CHUNK, end(), value) - begin());
    }
    // Of logits that are all numbers.
    void forbid(std::span<const uint32_t> allowed) {
        constexpr Integers LANE = {1, 2, 4, 8};
        for (size_t chunk = 0; chunk < most.size(); ++chunk) {
            Floats largest = Floats{} + NEVER;
            for (size_t i = chunk * CHUNK; i < (chunk + 1) * CHUNK; i += 4) {
                const uint32_t bits = i / 32 < allowed.size() ? allowed[i / 32] >> i % 32 : 0;
                const Integers open = ((Integers{} + static_cast<int32_t>(bits)) & LANE) == LANE;
                const Floats four = open ? four_at(begin() + i) : Floats{} + NEVER;
                std::memcpy(begin() + i, &four, sizeof four);
                largest = four > largest ? four : largest;
            }
            most[chunk] = maximum_of(largest);
        }
    }
};

using Place = std::pair<float, int32_t>;  // a value and where it is

bool before(const Place& a, const Place& b) { return a.first > b.first || (a.first == b.first && a.second < b.second); }

// The `count` largest values not below `least`, largest first and the first of equal ones first.
std::vector<Place> largest(Row& row, size_t count, float least) {
    std::vector<Place> found;
    const auto cut = [&] {
        if (found.size() <= count) return;
        std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end(), before);
        found.resize(count);
        least = std::nextafter(std::max_element(found.begin(), found.end(), before)->first, -NEVER);
    };
    for (size_t i = 0; count && i < row.size; i += GROUP) {
        if (!reaches(&row.values[i], least)) continue;
        for (size_t k = i; k < i + GROUP; ++k)
            if (row.values[k] >= least) found.emplace_back(row.values[k], static_cast<int32_t>(k));
        if (found.size() > 2 * count + 4 * GROUP) cut();
    }
    cut();
    std::sort(found.begin(), found.end(), before);
    return found;
}

// The distance of the least likely token, of those not below `least`, for which those likelier have less
// than `share`: found like a median, by totals of the leading bits of distances, then of the next ones.
// As whole numbers they are ordered like the distances.
float nucleus(Row& row, double share, float least) {
    thread_local std::vector<Integers> shares;
    shares.clear();
    const auto total = [](Doubles lanes) { return lanes[0] + lanes[1] + lanes[2] + lanes[3]; };
    Doubles all{}, likely{};  // of whole numbers below 2^53
    row.each([&](Floats distances) {
        shares.push_back(weights(distances));
        all += __builtin_convertvector(shares.back(), Doubles);
        likely += __builtin_convertvector(distances >= LIKELY ? shares.back() : Integers{}, Doubles);
    });
    const double most = share * total(all);

    // What is lighter weighs nothing, or is not reached.
    const float light = std::max(least, total(likely) < most ? -22.0f : LIKELY);
    int64_t sum = 0;
    uint32_t found = 0;  // leading bits
    for (const int shift : {20, 10, 0}) {
        const uint32_t buckets = shift == 20 ? 2048 : 1024;
        int64_t totals[2048] = {};
        for (size_t group = 0; group < row.size; group += GROUP) {
            if (!reaches(&row.values[group], light)) continue;
            for (size_t i = group; i < group + GROUP; ++i) {
                const auto bits = std::bit_cast<uint32_t>(0.0f - row.values[i]);
                if (shift < 20 && bits >> shift >> 10 != found) continue;
                totals[bits >> shift & (buckets - 1)] += shares[i / 4][i % 4];
            }
        }
        uint32_t bucket = 0;
        while (bucket < buckets && static_cast<double>(sum + totals[bucket]) < most) sum += totals[bucket++];
        if (bucket == buckets) return least;
        found = found * buckets + bucket;
    }
    return -std::bit_cast<float>(found);
}

// No Gumbel number from 24 bits is larger than 24 ln 2 = 16.6: -ln(1 - w / 2^24) >= w / 2^24 for w >= 1,
// so gumbel(2^24 - w) <= 24 ln 2 - ln w. A token that the likeliest, with its own number, leads by more
// cannot be chosen, and needs none; of the others most are told by the leading bit of their w.
double bound(uint32_t bits) {
    const int leading = std::bit_width((1u << 24) - bits) - 1;
    return (24 - leading) * 0.6931471805599453 + 1e-9;  // the last for rounding
}

// The least 32 random bits, of which the first 24 count, whose noise may lift a distance to `best`.
uint32_t needed(double best, float distance) {
    const double doublings = std::ceil((best - distance) / 0.6931471805599453 - 1e-6);  // less for rounding
    if (doublings < 1) return 0;
    return doublings > 24 ? ~0u : ((1u << 24) - (1u << (25 - static_cast<int>(doublings))) + 1) << 8;
}

// The token with the largest sum of distance and noise, of those not below `least`.
size_t race(Row& row, const Draw& draw, size_t likeliest, float least) {
    constexpr size_t TOGETHER = 4 * DRAWN;  // tokens, whose noise takes little longer than that of DRAWN
    const auto noise = [&](size_t first) { return philox<TOGETHER / DRAWN>(draw.seed, draw.position, first / DRAWN + 1); };
    size_t chosen = likeliest;
    double best = gumbel(noise(likeliest / TOGETHER * TOGETHER)[likeliest % TOGETHER] >> 8);  // its distance is 0
    const double most = bound((1u << 24) - 1);
    const auto raise = [&] { least = std::max(least, static_cast<float>(best - most) - 1e-5f); };
    raise();
    for (size_t i = 0; i < row.size; i += TOGETHER) {
        const float largest = row.most[i / CHUNK];
        if (largest < least) continue;
        const auto numbers = noise(i);
        const uint32_t enough = needed(best, largest);
        bool some = false;
        for (const uint32_t number : numbers) some |= number >= enough;
        if (!some) continue;
        for (size_t k = 0; k < TOGETHER; ++k) {
            const double distance = row.values[i + k];
            if (row.values[i + k] < least || distance + bound(numbers[k] >> 8) < best) continue;
            const double sum = distance + gumbel(numbers[k] >> 8);
            if (sum < best || (sum == best && i + k >= chosen)) continue;
            best = sum, chosen = i + k;
            raise();
        }
    }
    return chosen;
}

int32_t choose(Row& row, const Draw& draw) {
    if (!(row.maximum() < INFINITE)) return -1;
    if (draw.constrained) row.forbid(draw.allowed);
    const float maximum = row.maximum();
    if (!std::isfinite(maximum)) return -1;
    const size_t likeliest = row.first(maximum);
    if (draw.inverse_temperature == 0) return static_cast<int32_t>(likeliest);
    for (auto* values : {&row.values, &row.most})
        for (float& value : *values) value = (value - maximum) * draw.inverse_temperature;
    float least = std::max(draw.least, -std::numeric_limits<float>::max());
    if (draw.top_k) {
        const auto kept = largest(row, draw.top_k, least);
        if (kept.size() == draw.top_k) least = kept.back().first;
    }
    if (draw.top_p < 1) least = std::max(least, nucleus(row, draw.top_p, least));
    return static_cast<int32_t>(race(row, draw, likeliest, least));
}

// Log-probabilities before any change.
void describe(Row& row, const float* logits, size_t vocabulary, const Draw& draw, Choice& choice) {
    const float maximum = row.maximum();
    Doubles lanes{};
    row.each([&](Floats v) { lanes += __builtin_convertvector(power(halvings(v - maximum)), Doubles); });
    const double whole = maximum + std::log(lanes[0] + lanes[1] + lanes[2] + lanes[3]);
    choice.logprob = logits[choice.token] - whole;
    for (const auto& [value, token] : largest(row, std::min(draw.alternatives, vocabulary), NEVER)) choice.top.emplace_back(token, value - whole);
}

}  // namespace

void sample(Team& team, const float* logits, size_t vocabulary, std::span<const Draw> draws, std::span<Choice> choices) {
    team.run(1, [&](Worker& worker) {
        worker.phase(draws.size(), [&](size_t i) {
            thread_local Row row;
            const float* mine = logits + i * vocabulary;
            row.load(mine, vocabulary);
            for (size_t k = 0; k < draws[i].changed.size(); ++k) row.put(static_cast<size_t>(draws[i].changed[k]), draws[i].values[k]);
            choices[i].token = choose(row, draws[i]);
            if (!draws[i].described || choices[i].token < 0) return;
            row.load(mine, vocabulary);
            describe(row, mine, vocabulary, draws[i], choices[i]);
        });
    });
}

}  // namespace engine
