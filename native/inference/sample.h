// The choice of each row's next token. `openhearth/inference/sampler.py` is the same in plain Python
// and says why; docs/reference/sampling.md says what the numbers are.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "team.h"

namespace engine {

// How to choose one row's token.
struct Draw {
    float inverse_temperature;  // 0: the likeliest
    size_t top_k;               // 0: all
    double top_p;
    float least;  // natural logarithm of the least share of the likeliest's probability
    uint64_t seed, position;
    std::span<const int32_t> changed;  // tokens whose logits penalties and biases change,
    std::span<const float> values;     // and what they are then
    bool constrained;
    std::span<const uint32_t> allowed;  // a bit for each token, if constrained
    bool described;                     // whether log-probabilities are asked for
    size_t alternatives;
};

struct Choice {
    int32_t token = -1;  // -1: there is a NaN or an infinity, or no token is allowed
    double logprob = 0;
    std::vector<std::pair<int32_t, double>> top;  // likeliest first
};

// Chooses for all rows of `logits` [draws, vocabulary].
void sample(Team& team, const float* logits, size_t vocabulary, std::span<const Draw> draws, std::span<Choice> choices);

}  // namespace engine
