#include "kernels.h"

#include <cstring>

#include "../processor.h"

extern const Kernels portable_kernels;
#ifdef OPENHEARTH_X86
extern const Kernels avx2_kernels, avx512_kernels;
#endif

namespace {

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
