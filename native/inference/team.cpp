#include "team.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

// Some tens of microseconds until the others have come; longer for the next job, since who wakes up may
// find itself on the core of the one that woke it, which took a third of the speed.
constexpr int MEETING = 2000, JOB = 20000;

void relax() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

}  // namespace

Team::Team(size_t threads) : size_(threads ? threads : 1), counters_(new Counter[PHASES]) {
    for (size_t i = 1; i < size_; ++i) threads_.emplace_back(&Team::serve, this, i);
}

Team::~Team() {
    closing_ = true;
    job_number_.fetch_add(1, std::memory_order_release);
    job_number_.notify_all();
    for (auto& thread : threads_) thread.join();
}

void Team::run(const std::function<void(Worker&)>& job) {
    job_ = &job;
    job_number_.fetch_add(1, std::memory_order_release);
    job_number_.notify_all();
    Worker worker(*this, 0);
    job(worker);
    worker.meet();  // `job` must outlive what the others do
}

void Team::serve(size_t number) {
    for (uint32_t last = 0;; ) {
        wait(job_number_, last, JOB);
        ++last;
        if (closing_) return;
        Worker worker(*this, number);
        (*job_)(worker);
        worker.meet();
    }
}

void Team::wait(const std::atomic<uint32_t>& value, uint32_t old, int spins) {
    for (int i = 0; i < spins; ++i) {
        if (value.load(std::memory_order_acquire) != old) return;
        relax();
    }
    while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

void Worker::meet() {
    const uint32_t now = team_.meeting_.load(std::memory_order_acquire);
    if (team_.arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < team_.size_) {
        Team::wait(team_.meeting_, now, MEETING);
    } else {
        // The last to come lets the tasks of all phases be claimed anew.
        for (uint32_t i = 0; i < phase_; ++i) team_.counters_[i].next.store(0, std::memory_order_relaxed);
        team_.arrived_.store(0, std::memory_order_relaxed);
        team_.meeting_.store(now + 1, std::memory_order_release);
        team_.meeting_.notify_all();
    }
    phase_ = 0;
}
