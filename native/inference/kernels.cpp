#include "kernels.h"

#include <cstring>

extern const Kernels portable_kernels;
#ifdef OPENHEARTH_X86
extern const Kernels avx2_kernels, avx512_kernels;
#endif

namespace {

bool runs(const char* name) {
#ifdef OPENHEARTH_X86
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (!std::strcmp(name, "avx2")) return avx2;
    if (!std::strcmp(name, "avx512")) {
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
    }
#endif
    return !std::strcmp(name, "portable");
}

const Kernels* const ALL[] = {
#ifdef OPENHEARTH_X86
    &avx512_kernels, &avx2_kernels,
#endif
    &portable_kernels,
};

}  // namespace

const Kernels* kernels_for(const char* name) {
    for (const Kernels* one : ALL) {
        if (!std::strcmp(one->name, name)) return runs(name) ? one : nullptr;
    }
    return nullptr;
}

const char* const* kernels_here() {
    static const char* names[4] = {};
    if (!names[0]) {
        size_t count = 0;
        for (const Kernels* one : ALL) {
            if (runs(one->name)) names[count++] = one->name;
        }
    }
    return names;
}
