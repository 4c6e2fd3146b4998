// Random rows for the kernels of training, for sanitizers: all kinds must come to the same bits, whatever
// the numbers are, and touch no memory but the rows. `run_rows SECONDS SEED`
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

#include "../training/kernels.h"

namespace {

using Random = std::mt19937;
constexpr float INF = std::numeric_limits<float>::infinity();

void number(float& into, float from) { into = from; }
void number(Brain& into, float from) { into = brain(from); }

// Of that size to the byte, so that what lies beyond is seen. Now and then a number is not finite.
template <class Number>
std::vector<Number> row(Random& random, size_t count) {
    std::normal_distribution<float> normal(0.0f, 3.0f);
    const bool wild = random() % 16 == 0;
    std::vector<Number> made(count);
    for (Number& one : made) number(one, wild && random() % count == 0 ? (random() % 2 ? INF : -INF) : normal(random));
    made.shrink_to_fit();
    return made;
}

// What a kind makes of the numbers of a seed, all results one after another.
template <class Number>
std::vector<Number> results(const RowKernels<Number>& kernels, unsigned seed) {
    Random random(seed);
    const size_t count = 1 + random() % 70, half = 1 + random() % count, target = random() % count;
    const size_t first = random() % count, last = first + 1 + random() % (count - first);
    const auto x = row<Number>(random, count), y = row<Number>(random, count), z = row<Number>(random, count);
    const auto head = row<Number>(random, 2 * half + random() % 3);
    std::vector<Number> all;
    const auto keep = [&](const std::vector<Number>& some) { all.insert(all.end(), some.begin(), some.end()); };
    const auto keep_floats = [&](const std::vector<float>& some) {
        for (const float value : some) {
            Number one;
            number(one, value);
            all.push_back(one);
        }
    };
    std::vector<Number> a(count), b(count), turned(head.size());
    std::vector<float> inverse(1), sums(count, 0.5f);
    kernels.norm(x.data(), y.data(), count, 1e-5f, a.data(), inverse.data());
    keep(a), keep_floats(inverse);
    kernels.norm_back(z.data(), x.data(), y.data(), count, inverse[0], random() % 2 ? b.data() : nullptr, random() % 2 ? sums.data() : nullptr);
    keep(b);
    kernels.gate(x.data(), y.data(), count, a.data());
    keep(a);
    kernels.gate_back(z.data(), x.data(), y.data(), count, a.data(), b.data());
    keep(a), keep(b);
    const auto cosines = row<Number>(random, half), sines = row<Number>(random, half);
    kernels.rotate(head.data(), cosines.data(), sines.data(), half, head.size(), -1.0f, turned.data());
    keep(turned);
    kernels.add(z.data(), count, sums.data());
    keep_floats(sums);
    a = x, b = y;
    keep_floats({kernels.nats(a.data(), count, target, 0.25f)});
    kernels.softmax(b.data(), count, first, last, 0.125f);
    keep(a), keep(b);
    return all;
}

// Equal to the bit, all that are no numbers alike.
float wide(float x) { return x; }
template <class Number>
bool equal(const std::vector<Number>& a, const std::vector<Number>& b) {
    for (size_t i = 0; i < a.size(); ++i) {
        const float one = wide(a[i]), other = wide(b[i]);
        if (std::memcmp(&one, &other, sizeof one) && !(one != one && other != other)) return false;
    }
    return a.size() == b.size();
}

template <class Number>
bool agree(const RowKernels<Number> TrainingKernels::* type, unsigned seed) {
    const auto expected = results(training_kernels_for("portable")->*type, seed);
    for (const char* kind : training_kernels_here()) {
        if (!equal(results(training_kernels_for(kind)->*type, seed), expected)) {
            std::fprintf(stderr, "%s differs with seed %u\n", kind, seed);
            return false;
        }
    }
    return true;
}

}  // namespace

int main(int count, char** arguments) {
    const double seconds = count > 1 ? std::atof(arguments[1]) : 1.0;
    unsigned seed = count > 2 ? static_cast<unsigned>(std::atoi(arguments[2])) : 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    unsigned long rows = 0;
    for (; std::chrono::steady_clock::now() < end; ++rows, ++seed) {
        if (!agree(&TrainingKernels::wide, seed) || !agree(&TrainingKernels::narrow, seed)) return 1;
    }
    std::printf("%lu rows\n", rows);
}
