// A few threads that carry out one job together, phase by phase.
//
// Tasks of a phase are claimed, not assigned: every thread begins in a part of its own, whose tasks are
// neighbours, as memory is read fastest in one go, and then helps where tasks are left. A phase is over
// when its tasks are done, whoever was there: so a thread that the system has put aside holds up no more
// than the tasks it has begun, and finds the phases that it missed done. Whoever waits spins for a moment and then sleeps: on a busy
// machine a spinning thread would take the time of the one that it waits for.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

class Team;

// One thread's view of a job.
class Worker {
public:
    Worker(Team& team, size_t number, uint64_t job) : team_(team), number_(number), job_(job) {}
    size_t number() const { return number_; }

    // The next phase: carries out some of the tasks 0 to `count` - 1, and returns when all are done and
    // what they wrote is there to be read. Between phases nothing must be read that a later one writes.
    template <class Task>
    void phase(size_t count, Task task);

private:
    Team& team_;
    size_t number_, phase_ = 0;
    uint64_t job_;
};

class Team {
public:
    explicit Team(size_t threads);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    size_t size() const { return threads_.size() + 1; }
    // The caller, and every thread that comes in time, call `job`, which has the same phases, at most
    // `phases`, for each. Jobs must not throw.
    void run(size_t phases, const std::function<void(Worker&)>& job);

private:
    friend class Worker;

    // How many tasks of a thread's part of a phase were claimed, or how many of the whole are done, in the
    // lower COUNT bits; in the upper ones the job's number, as counters of earlier jobs count for nothing.
    struct alignas(64) Counter {
        std::atomic<uint64_t> value{0};
    };
    static constexpr int COUNT = 24;
    static constexpr uint32_t OPEN = 1u << 15, INSIDE = OPEN - 1;

    void serve(size_t number);
    // `more` on a counter of this job; what it was before, `most` if it was that already.
    static uint64_t add(Counter& counter, uint64_t job, uint64_t more, uint64_t most);
    void finish(Counter& done, uint64_t job, size_t some, size_t count);
    void wait(const Counter& done, uint64_t job, size_t count);

    std::vector<Counter> done_, claimed_;  // of each phase, and of each part of each
    // The end of the job's number; whether others may still come; how many of them are inside.
    alignas(64) std::atomic<uint32_t> gate_{0};
    alignas(64) std::atomic<uint32_t> finished_{0};  // phases, ever: what waiting threads sleep on
    const std::function<void(Worker&)>* job_ = nullptr;
    uint64_t number_ = 0;  // of the job
    std::atomic<bool> closing_{false};
    std::vector<std::thread> threads_;
};

template <class Task>
void Worker::phase(size_t count, Task task) {
    if (!count) return;
    const size_t parts = team_.size();
    auto& done = team_.done_[phase_];
    size_t mine = 0;  // told all at once, as all threads write there
    for (size_t other = 0; other < parts; ++other) {
        const size_t part = (number_ + other) % parts, begin = part * count / parts, size = (part + 1) * count / parts - begin;
        auto& claimed = team_.claimed_[phase_ * parts + part];
        for (uint64_t i; (i = Team::add(claimed, job_, 1, size)) < size; ++mine) task(begin + i);
    }
    if (mine) team_.finish(done, job_, mine, count);
    ++phase_;
    team_.wait(done, job_, count);
}
