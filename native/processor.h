// Which kinds of kernels this processor can run.
#pragma once

#include <cstring>

// portable, avx2 or avx512; every other name runs nowhere.
inline bool runs(const char* name) {
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
