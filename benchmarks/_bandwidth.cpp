// bandwidth BYTES THREADS PASSES: how fast threads read memory from end to end, in bytes per second.
// Each sums its share of 64-bit words; the median pass counts.
#include <sys/mman.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

int main(int, char** arguments) {
    constexpr size_t LARGE = size_t{2} << 20;  // pages as the engine asks for
    const size_t bytes = (std::strtoull(arguments[1], nullptr, 10) + LARGE - 1) / LARGE * LARGE;
    const size_t threads = std::strtoull(arguments[2], nullptr, 10);
    const size_t passes = std::strtoull(arguments[3], nullptr, 10);
    auto* words = static_cast<uint64_t*>(std::aligned_alloc(LARGE, bytes));
    if (!words) return 1;
    madvise(words, bytes, MADV_HUGEPAGE);
    std::memset(words, 1, bytes);

    using Clock = std::chrono::steady_clock;
    std::vector<Clock::time_point> ends;  // the first is the start of the first pass
    std::barrier pass(static_cast<ptrdiff_t>(threads), [&]() noexcept { ends.push_back(Clock::now()); });
    std::vector<uint64_t> sums(threads);
    const auto read = [&](size_t thread) {
        const size_t count = bytes / sizeof(uint64_t);
        const uint64_t* begin = words + count * thread / threads;
        const uint64_t* end = words + count * (thread + 1) / threads;
        for (size_t i = 0; i < passes; ++i) {
            pass.arrive_and_wait();
            sums[thread] += std::accumulate(begin, end, uint64_t{0});
            asm volatile("" : : "r"(words), "r"(sums.data()) : "memory");  // so that every pass reads
        }
        pass.arrive_and_wait();
    };
    std::vector<std::jthread> team;
    for (size_t i = 0; i < threads; ++i) team.emplace_back(read, i);
    team.clear();  // waits for all

    std::vector<double> seconds(passes);
    for (size_t i = 0; i < passes; ++i) seconds[i] = std::chrono::duration<double>(ends[i + 1] - ends[i]).count();
    std::ranges::sort(seconds);
    std::printf("%.0f\n", static_cast<double>(bytes) / seconds[passes / 2]);
}
