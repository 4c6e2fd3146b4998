// Random models and random ragged steps on all kinds of kernels, for the address and undefined-behaviour
// sanitizers: all kinds must come to the same bits. `run_program SECONDS SEED`
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "../inference/operations.h"

namespace {

using namespace engine;
using Random = std::mt19937;

constexpr Format FORMATS[] = {Format::INT4, Format::INT4_MIN, Format::INT8, Format::BF16, Format::FP32};

size_t some(Random& random, size_t most) { return 1 + random() % most; }

std::vector<float> floats(Random& random, size_t count) {
    std::vector<float> out(count);
    for (float& x : out) x = std::normal_distribution<float>()(random);
    return out;
}

Matrix matrix(Random& random, Format format, size_t outputs, size_t inputs) {
    Matrix out(format, outputs, inputs);
    const auto values = floats(random, outputs * inputs);
    std::vector<int32_t> order(outputs);
    for (size_t i = 0; i < outputs; ++i) order[i] = static_cast<int32_t>(i);
    out.fill(Source::F32, reinterpret_cast<const uint8_t*>(values.data()), 4 * inputs, order, some(random, 3));
    return out;
}

struct Shape {
    Format format;
    size_t width, groups, keys, size, hidden, vocabulary, pages;
    bool fp32, gelu;
    int32_t window;
};

Buffer& build(Program& p, const Shape& shape, unsigned seed) {
    Random random(seed);
    const size_t heads = shape.groups * shape.keys, all = (heads + 2 * shape.keys) * shape.size, positions = shape.pages * PAGE;
    Buffer &x = p.buffer(shape.width, false), &qkv = p.buffer((all + 15) / 16 * 16, false), &mixed = p.buffer(heads * shape.size, false);
    Buffer &hidden = p.buffer(shape.hidden, false), &last = p.buffer(shape.width, true);
    Buffer& logits = p.buffer((shape.vocabulary + 15) / 16 * 16, true);
    const auto norm = [&](size_t width) { return Norm{floats(random, width), 1e-5f}; };
    const auto table = matrix(random, shape.format, shape.vocabulary, shape.width);
    auto angles = std::make_shared<Angles>(Angles{floats(random, positions * shape.size / 2), floats(random, positions * shape.size / 2)});
    p.add(std::make_unique<Embed>(table, 1.0f, x));
    p.add(std::make_unique<Linear>(x, norm(shape.width), matrix(random, shape.format, all, shape.width), floats(random, (all + 15) / 16 * 16),
                                   Use::STORE, qkv, 0, false));
    p.add(std::make_unique<Attend>(qkv, Heads{heads, shape.keys, shape.size, 0.1f, shape.window, norm(shape.size), std::nullopt}, angles,
                                   shape.fp32, shape.pages, mixed));
    p.add(std::make_unique<Linear>(mixed, std::nullopt, matrix(random, shape.format, shape.width, heads * shape.size), std::vector<float>(),
                                   Use::ADD, x, 0, false));
    p.add(std::make_unique<Linear>(x, norm(shape.width), matrix(random, shape.format, 2 * shape.hidden, shape.width), std::vector<float>(),
                                   shape.gelu ? Use::GELU : Use::SILU, hidden, 0, false));
    p.add(std::make_unique<Linear>(hidden, std::nullopt, matrix(random, shape.format, shape.width, shape.hidden), std::vector<float>(),
                                   Use::ADD, x, 0, false));
    p.add(std::make_unique<Gather>(x, last));
    p.add(std::make_unique<Linear>(last, norm(shape.width), table, std::vector<float>(), Use::STORE, logits, 0, true));
    return logits;
}

// Two sequences in steps of random sizes; all logits.
std::vector<float> answer(const char* kind, const Shape& shape, unsigned seed, size_t threads) {
    Program program(*kernels_for(kind), threads);
    Buffer& logits = build(program, shape, seed);
    Random random(seed + 1);
    std::vector<int32_t> first, second;
    for (size_t i = 0; i < shape.pages; ++i) (i % 2 ? first : second).push_back(static_cast<int32_t>(i));
    size_t done[2] = {0, 0};
    const size_t most = shape.pages / 2 * PAGE;
    std::vector<float> out;
    for (int step = 0; step < 4; ++step) {
        std::vector<int32_t> tokens, wanted, adapters;
        std::vector<Piece> pieces;
        for (int s = 0; s < 2; ++s) {
            const size_t count = std::min(random() % 3 ? some(random, 40) : 1, most - done[s]);
            if (!count) continue;
            pieces.push_back({tokens.size(), count, static_cast<int32_t>(done[s]), (s ? first : second).data()});
            for (size_t i = 0; i < count; ++i) tokens.push_back(static_cast<int32_t>(random() % shape.vocabulary));
            wanted.push_back(static_cast<int32_t>(tokens.size() - 1));
            done[s] += count;
        }
        adapters.assign(tokens.size(), NONE);
        program.run({tokens, pieces, wanted, adapters});
        for (size_t i = 0; i < wanted.size(); ++i) out.insert(out.end(), logits.row(i), logits.row(i) + shape.vocabulary);
    }
    return out;
}

}  // namespace

int main(int count, char** arguments) {
    const double limit = count > 1 ? std::atof(arguments[1]) : 3;
    unsigned seed = count > 2 ? static_cast<unsigned>(std::atoi(arguments[2])) : 0;
    const auto begin = std::chrono::steady_clock::now();
    int models = 0;
    for (; std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() < limit; ++models, seed += 2) {
        Random random(seed);
        const Shape shape{FORMATS[random() % 5], BLOCK * some(random, 4), some(random, 5), some(random, 3), BLOCK * some(random, 3),
                          BLOCK * some(random, 4), some(random, 100), 2 * some(random, 3), random() % 2 == 0, random() % 2 == 0,
                          random() % 2 ? INT32_MAX : static_cast<int32_t>(some(random, 50))};
        std::vector<float> best;
        for (const char* const* kind = kernels_here(); *kind; ++kind) {
            const auto found = answer(*kind, shape, seed, some(random, 3));
            if (best.empty()) best = found;
            if (found.size() != best.size() || std::memcmp(found.data(), best.data(), found.size() * sizeof(float))) {
                return std::printf("%s comes to other bits with seed %u\n", *kind, seed), 1;
            }
        }
    }
    std::printf("%d models\n", models);
}
