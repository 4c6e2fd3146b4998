// Random jobs for a team of threads, for the thread sanitizer: each must come to what one thread comes
// to. Some are begun while the others sleep. `race_team JOBS SEED`
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

#include "../inference/team.h"

namespace {

struct Job {
    size_t first, second, rounds;
};

// A phase doubles what the one before it has written; the last one leaves its sums in `out`.
template <class Phase>
void carry_out(const Job& job, std::vector<long>& in, std::vector<long>& out, Phase phase) {
    for (size_t round = 0; round < job.rounds; ++round) {
        phase(job.first, [&](size_t i) { out[i] = in[i] + static_cast<long>(i); });
        phase(job.second, [&](size_t i) { in[i] = i < job.first ? 2 * out[i] : 7; });
    }
}

}  // namespace

int main(int count, char** arguments) {
    const int jobs = count > 1 ? std::atoi(arguments[1]) : 1000;
    std::mt19937 random(count > 2 ? static_cast<unsigned>(std::atoi(arguments[2])) : 0);
    Team team(3);
    for (int number = 0; number < jobs; ++number) {
        const Job job{random() % 40, random() % 30, 1 + random() % 5};
        std::vector<long> a(40, 1), b(40), c(40, 1), d(40);
        team.run(2 * job.rounds, [&](Worker& worker) {
            carry_out(job, a, b, [&](size_t tasks, auto task) { worker.phase(tasks, task); });
        });
        carry_out(job, c, d, [](size_t tasks, auto task) {
            for (size_t i = 0; i < tasks; ++i) task(i);
        });
        if (a != c || b != d) return std::printf("job %d came to something else\n", number), 1;
        if (random() % 8 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    }
    std::printf("%d jobs\n", jobs);
}
