// Random models and random ragged steps on all kinds of kernels, for the address and undefined-behaviour
// sanitizers: all kinds must come to the same bits. `run_program SECONDS SEED`
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "../inference/expert_operations.h"
#include "../inference/recurrent_operations.h"
#include "../inference/rwkv_operations.h"

namespace {

using namespace engine;
using Random = std::mt19937;

constexpr Kept KEPT[] = {Kept::FP32, Kept::INT16, Kept::INT8};
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
    Kept kept;
    bool gelu, encoder;
    int32_t window;
};

// A convolution, then modes, a memory or a selective state space, and a gate, added to x.
void recur(Program& p, Random& random, const Shape& shape, Buffer& x) {
    const size_t heads = some(random, 4), values = PANEL * some(random, 6), keys = some(random, 40), wide = (keys + 15) / 16 * 16;
    const size_t inner = heads * values, channels = inner + 2 * wide, taps = some(random, 5), outs = room(inner);
    Buffer &made = p.buffer(channels + inner + 2 * PANEL, false), &kept = p.buffer(channels, false), &rates = p.buffer(2 * inner, false);
    Buffer& mixed = p.buffer(outs, false);
    const auto slots = [](size_t numbers) { return std::make_shared<States>(2, numbers); };
    p.add(std::make_unique<Linear>(x, std::nullopt, matrix(random, shape.format, made.width, shape.width), floats(random, made.width),
                                   Use::STORE, made, 0, false));
    Filter filter{channels, taps, floats(random, taps * channels), random() % 2 ? floats(random, channels) : std::vector<float>(), 0, {}, {}, true};
    p.add(std::make_unique<Convolve>(made, std::move(filter), slots(std::max<size_t>(1, taps - 1) * channels), kept));
    p.add(std::make_unique<Linear>(x, std::nullopt, matrix(random, shape.format, outs, shape.width), std::vector<float>(), Use::STORE, mixed, 0, false));
    std::vector<float> logs = floats(random, inner);
    for (float& log : logs) log = -std::abs(log);
    const size_t kind = random() % 3;
    if (kind == 0) {
        const size_t modes = some(random, 4);
        std::vector<float> poles = floats(random, 2 * modes * inner);
        for (float& pole : poles) pole = 0.6f * std::tanh(pole);
        Modes all{poles, floats(random, poles.size()), floats(random, inner), 0, random() % PANEL, wide};
        p.add(std::make_unique<Ring>(kept, std::move(all), slots(2 * modes * inner), mixed));
    } else if (kind == 1) {
        const std::vector<float> some_logs(logs.begin(), logs.begin() + PANEL);
        p.add(std::make_unique<Pace>(made, channels + inner, floats(random, PANEL), some_logs, 0.0f, 5.0f, rates));
        p.add(std::make_unique<Sigmoid>(made, channels + inner + PANEL, PANEL, 2.0f));
        // Longer keys would make a memory that corrects itself grow beyond all numbers.
        p.add(std::make_unique<NormParts>(kept, inner, 2 * wide / PANEL, 1, Norm{std::vector<float>(PANEL, 0.1f), {}, 1e-6f}));
        Memory memory{heads, 1, keys, values, inner, inner + wide, 0, PANEL, channels + inner + PANEL, random() % 2 == 0,
                      random() % 2 ? floats(random, heads) : std::vector<float>()};
        p.add(std::make_unique<Remember>(kept, rates, made, std::move(memory), slots(keys * inner), mixed));
    } else {
        std::vector<float> all(keys * inner, -0.5f);
        p.add(std::make_unique<Pace>(made, channels, floats(random, inner), std::vector<float>(), 0.0f, 5.0f, rates));
        p.add(std::make_unique<Scan>(kept, rates, kept, Space{all, logs, inner, inner + wide}, slots(keys * inner), mixed));
    }
    p.add(std::make_unique<Gate>(made, 0, mixed));
    p.add(std::make_unique<Linear>(mixed, std::nullopt, matrix(random, shape.format, shape.width, outs), std::vector<float>(), Use::ADD, x, 0, false));
}

// The time mixing of RWKV-7, added to x.
void replace(Program& p, Random& random, const Shape& shape, Buffer& x) {
    const size_t heads = some(random, 3), inner = heads * PANEL * some(random, 6), outs = room(inner);
    Buffer &normed = p.buffer(shape.width, false), &one = p.buffer(shape.width, false), &other = p.buffer(shape.width, false);
    Buffer &rows = p.buffer(6 * inner, false), &gate = p.buffer(outs, false), &mixed = p.buffer(outs, false);
    const auto slots = [](size_t numbers) { return std::make_shared<States>(2, numbers); };
    const auto multiply = [&](Buffer& from, Use use, Buffer& to) {
        p.add(std::make_unique<Linear>(from, std::nullopt, matrix(random, shape.format, to.width, from.width), std::vector<float>(), use, to, 0, false));
    };
    const auto known = [&] { return floats(random, inner); };
    const auto channels = std::make_shared<Channels>(Channels{heads, known(), known(), known(), known(), known()});
    p.add(std::make_unique<Normalise>(x, Norm{floats(random, shape.width), {}, 1e-5f}, normed));
    p.add(std::make_unique<Shift>(normed, floats(random, 2 * shape.width), slots(shape.width), std::vector<Buffer*>{&one, &other}));
    multiply(one, Use::STORE, rows);
    multiply(other, Use::STORE, gate);
    multiply(other, Use::STORE, mixed);
    p.add(std::make_unique<Replace>(rows, channels, slots(inner * inner / heads), mixed));
    p.add(std::make_unique<NormParts>(mixed, 0, heads, heads, Norm{known(), known(), 1e-3f}));
    p.add(std::make_unique<Bonus>(rows, gate, channels, mixed));
    multiply(mixed, Use::ADD, x);
}

// A mixture of experts, added to x.
void mix(Program& p, Random& random, const Shape& shape, Buffer& x) {
    const size_t groups = some(random, 3), size = 1 + some(random, 6), experts = groups * size, open = some(random, groups);
    const size_t active = some(random, open * size), hidden = BLOCK * some(random, 3);
    Buffer &scores = p.buffer((experts + 15) / 16 * 16, false), &chosen = p.buffer(2 * active + PANEL, false);
    Buffer &inner = p.buffer(active * hidden, false), &made = p.buffer(active * shape.width, false);
    Buffer& normed = p.buffer(shape.width, false);
    const auto routes = std::make_shared<Routes>();
    const auto bias = random() % 2 ? floats(random, experts) : std::vector<float>();
    p.add(std::make_unique<Normalise>(x, Norm{floats(random, shape.width), {}, 1e-5f}, normed));
    p.add(std::make_unique<Linear>(normed, std::nullopt, matrix(random, Format::FP32, experts, shape.width), std::vector<float>(), Use::STORE, scores, 0, false));
    p.add(std::make_unique<Route>(scores, Choice{experts, active, groups, open, random() % 2 == 0, random() % 2 == 0, 1.5f, bias}, routes, chosen));
    p.add(std::make_unique<Experts>(normed, matrix(random, shape.format, 2 * experts * hidden, shape.width), experts, active,
                                    shape.gelu ? Use::GELU_PRODUCT : Use::SILU_PRODUCT, routes, inner));
    p.add(std::make_unique<Experts>(inner, matrix(random, shape.format, experts * shape.width, hidden), experts, active, Use::STORE, routes, made));
    p.add(std::make_unique<Blend>(made, chosen, active, Use::ADD, x));
}

Buffer& build(Program& p, const Shape& shape, unsigned seed) {
    Random random(seed);
    const size_t heads = shape.groups * shape.keys, wide = room(shape.size), all = (heads + 2 * shape.keys) * wide;
    const size_t positions = shape.pages * PAGE, inputs = room(heads * shape.size);
    Buffer &x = p.buffer(shape.width, false), &qkv = p.buffer(all, false), &mixed = p.buffer(inputs, false);
    Buffer &hidden = p.buffer(shape.hidden, false), &last = p.buffer(shape.width, true);
    Buffer& logits = p.buffer((shape.vocabulary + 15) / 16 * 16, true);
    const auto norm = [&](size_t width) {
        return Norm{floats(random, width), shape.encoder ? floats(random, width) : std::vector<float>(), 1e-5f};
    };
    const auto made = [&](size_t outputs, size_t width) { return matrix(random, shape.format, outputs, width); };
    const auto table = made(shape.vocabulary, shape.width);
    std::shared_ptr<Angles> angles;
    if (!shape.encoder) angles = std::make_shared<Angles>(Angles{floats(random, positions * wide / 2), floats(random, positions * wide / 2)});
    const auto memory = std::make_shared<KeyValues>(shape.kept, shape.pages, shape.keys, shape.size);
    p.add(std::make_unique<Embed>(table, 1.0f, shape.encoder ? floats(random, positions * shape.width) : std::vector<float>(), x));
    p.add(std::make_unique<Linear>(x, norm(shape.width), made(all, shape.width), floats(random, all), Use::STORE, qkv, 0, false));
    p.add(std::make_unique<Attend>(qkv, Heads{heads, shape.keys, shape.size, 0.1f, shape.window, !shape.encoder, norm(wide), std::nullopt},
                                   angles, memory, mixed));
    p.add(std::make_unique<Linear>(mixed, std::nullopt, made(shape.width, inputs), std::vector<float>(), Use::ADD, x, 0, false));
    if (shape.encoder) {
        p.add(std::make_unique<Normalise>(x, norm(shape.width), x));
        p.add(std::make_unique<Linear>(x, std::nullopt, made(shape.hidden, shape.width), floats(random, shape.hidden),
                                       shape.gelu ? Use::GELU : Use::GELU_TANH, hidden, 0, false));
    } else {
        p.add(std::make_unique<Linear>(x, norm(shape.width), made(2 * shape.hidden, shape.width), std::vector<float>(),
                                       shape.gelu ? Use::GELU_TANH_PRODUCT : Use::SILU_PRODUCT, hidden, 0, false));
    }
    p.add(std::make_unique<Linear>(hidden, std::nullopt, made(shape.width, shape.hidden), std::vector<float>(), Use::ADD, x, 0, false));
    if (!shape.encoder && random() % 2) recur(p, random, shape, x);
    if (!shape.encoder && random() % 2) replace(p, random, shape, x);
    if (random() % 2) mix(p, random, shape, x);
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
            pieces.push_back({tokens.size(), count, static_cast<int32_t>(done[s]), (s ? first : second).data(), s});
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
        const Shape shape{FORMATS[random() % 5], BLOCK * some(random, 4), some(random, 5), some(random, 3), 2 * some(random, 48),
                          BLOCK * some(random, 4), some(random, 100), 2 * some(random, 3), KEPT[random() % 3], random() % 2 == 0,
                          random() % 3 == 0, random() % 2 ? INT32_MAX : static_cast<int32_t>(some(random, 50))};
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
