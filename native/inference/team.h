// A few threads that carry out one job together, phase by phase.
//
// Tasks of a phase are claimed, not assigned, so that a thread that the system has put aside holds up
// no more than the task it has begun. Whoever waits spins for a moment and then sleeps: on a busy
// machine a spinning thread would take the time of the one that it waits for.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

class Team;

// One thread's view of a job.
class Worker {
public:
    Worker(Team& team, size_t number) : team_(team), number_(number) {}
    size_t number() const { return number_; }

    // Carries out some of the tasks 0 to `count` - 1 of this phase; the others do the rest.
    template <class Task>
    void share(size_t count, Task task);
    // Until all threads have come here, and all that they wrote is there to be read.
    void meet();

private:
    friend class Team;
    Team& team_;
    size_t number_;
    uint32_t phase_ = 0;
};

class Team {
public:
    explicit Team(size_t threads);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    size_t size() const { return size_; }
    // Every thread, the caller among them, calls `job`, which must take the same phases in each. Jobs
    // must not throw.
    void run(const std::function<void(Worker&)>& job);

private:
    friend class Worker;
    static constexpr uint32_t PHASES = 4;  // between two meetings, at most
    struct alignas(64) Counter {
        std::atomic<uint32_t> next{0};
    };

    void serve(size_t number);
    // Until `value` is no longer `old`.
    static void wait(const std::atomic<uint32_t>& value, uint32_t old, int spins);

    const size_t size_;
    std::unique_ptr<Counter[]> counters_;
    alignas(64) std::atomic<uint32_t> arrived_{0};
    alignas(64) std::atomic<uint32_t> meeting_{0};
    alignas(64) std::atomic<uint32_t> job_number_{0};
    const std::function<void(Worker&)>* job_ = nullptr;
    bool closing_ = false;
    std::vector<std::thread> threads_;
};

template <class Task>
void Worker::share(size_t count, Task task) {
    auto& next = team_.counters_[phase_++].next;
    for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) task(i);
}
