#include "kernels.h"

#include <dlfcn.h>

#include <cstring>

#include "../processor.h"
#include "parallel.h"

extern const TrainingKernels portable_training;
#ifdef OPENHEARTH_X86
extern const TrainingKernels avx2_training, avx512_training;
#endif

namespace {

const TrainingKernels* const ALL[] = {
#ifdef OPENHEARTH_X86
    &avx512_training, &avx2_training,
#endif
    &portable_training,
};

template <class Function>
void find(const char* name, Function& into) {
    into = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

const TrainingKernels* training_kernels_for(const char* name) {
    for (const TrainingKernels* one : ALL) {
        if (!std::strcmp(one->name, name)) return runs(name) ? one : nullptr;
    }
    return nullptr;
}

std::vector<const char*> training_kernels_here() {
    std::vector<const char*> names;
    for (const TrainingKernels* one : ALL) {
        if (runs(one->name)) names.push_back(one->name);
    }
    return names;
}

const Threads& torch_threads() {
    static const Threads found = [] {
        Threads threads;
        find("GOMP_parallel", threads.fork);
        find("omp_get_thread_num", threads.rank);
        find("omp_get_num_threads", threads.count);
        return threads.fork && threads.rank && threads.count ? threads : Threads{};
    }();
    return found;
}
