// Work in pieces over the threads that torch keeps: threads of our own would contend with them, as those
// of OpenMP wait by spinning. Where torch has other threads, one does all.
#pragma once

#include <cstddef>

struct Threads {
    void (*fork)(void (*)(void*), void*, unsigned, unsigned);  // GOMP_parallel
    int (*rank)();
    int (*count)();
};
// What torch has brought into this process, or nulls.
const Threads& torch_threads();

// use(begin, end) for parts of 0 to `count`, one for each thread.
template <class Use>
void shared(size_t count, const Use& use) {
    const Threads& threads = torch_threads();
    if (!threads.fork) return use(size_t{0}, count);
    struct Work {
        size_t count;
        const Use& use;
    } work{count, use};
    threads.fork(
        [](void* given) {
            const Work& work = *static_cast<const Work*>(given);
            const auto rank = static_cast<size_t>(torch_threads().rank()), all = static_cast<size_t>(torch_threads().count());
            const size_t begin = work.count * rank / all, end = work.count * (rank + 1) / all;
            if (begin < end) work.use(begin, end);
        },
        &work, 0, 0);
}
