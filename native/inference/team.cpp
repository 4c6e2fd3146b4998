#include "team.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

// Some tens of microseconds for a task that others do; longer for the next job, since who wakes up may
// find itself on the core of the one that woke it, which took a third of the speed.
constexpr int TASK = 2000, JOB = 20000;

void relax() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

template <class Condition>
bool spin(int times, Condition condition) {
    for (int i = 0; i < times; ++i) {
        if (condition()) return true;
        relax();
    }
    return false;
}

}  // namespace

Team::Team(size_t threads) {
    for (size_t i = 1; i < threads; ++i) threads_.emplace_back(&Team::serve, this, i);
}

Team::~Team() {
    closing_ = true;
    gate_.fetch_add(OPEN << 1, std::memory_order_release);
    gate_.notify_all();
    for (auto& thread : threads_) thread.join();
}

void Team::run(size_t phases, const std::function<void(Worker&)>& job) {
    if (done_.size() < phases) {
        done_ = std::vector<Counter>(phases);
        claimed_ = std::vector<Counter>(phases * size());
    }
    job_ = &job;
    ++number_;
    gate_.store(static_cast<uint32_t>(number_) << 16 | OPEN, std::memory_order_release);
    gate_.notify_all();
    Worker worker(*this, 0, number_);
    job(worker);
    // What the job refers to must outlive all that came in.
    gate_.fetch_and(~OPEN, std::memory_order_acq_rel);
    for (uint32_t now; (now = gate_.load(std::memory_order_acquire)) & INSIDE;) {
        if (!spin(TASK, [&] { return gate_.load(std::memory_order_acquire) != now; })) gate_.wait(now, std::memory_order_acquire);
    }
}

void Team::serve(size_t number) {
    for (uint32_t last = 0;;) {
        uint32_t now = gate_.load(std::memory_order_acquire);
        if (closing_) return;
        if (!(now & OPEN) || now >> 16 == last) {
            if (!spin(JOB, [&] { return gate_.load(std::memory_order_acquire) != now; })) gate_.wait(now, std::memory_order_acquire);
            continue;
        }
        if (!gate_.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel)) continue;
        last = now >> 16;
        Worker worker(*this, number, number_);
        (*job_)(worker);
        if ((gate_.fetch_sub(1, std::memory_order_acq_rel) & (OPEN | INSIDE)) == 1) gate_.notify_all();
    }
}

uint64_t Team::add(Counter& counter, uint64_t job, uint64_t more, uint64_t most) {
    const uint64_t begin = job << COUNT;
    uint64_t now = counter.value.load(std::memory_order_acquire);
    for (;;) {
        const uint64_t count = now >> COUNT == job ? now - begin : 0;
        if (count >= most) return most;
        if (counter.value.compare_exchange_weak(now, begin + count + more, std::memory_order_acq_rel)) return count;
    }
}

void Team::finish(Counter& done, uint64_t job, size_t some, size_t count) {
    if (add(done, job, some, count) + some < count) return;
    finished_.fetch_add(1, std::memory_order_release);
    finished_.notify_all();
}

void Team::wait(const Counter& done, uint64_t job, size_t count) {
    const uint64_t all = (job << COUNT) + count;
    const auto over = [&] { return done.value.load(std::memory_order_acquire) == all; };
    if (spin(TASK, over)) return;
    for (;;) {
        const uint32_t before = finished_.load(std::memory_order_acquire);
        if (over()) return;
        finished_.wait(before, std::memory_order_acquire);
    }
}
