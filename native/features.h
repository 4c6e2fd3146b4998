// Hashed features of texts: their raw words, and pairs of them that follow each other.
// feature_buckets() in openhearth/data/signals/compute.py says which.
#pragma once

#include <cstdint>
#include <vector>

#include "words.h"

namespace features {

// How many features of these texts fall in each of so many buckets.
std::vector<int64_t> count(const text::Texts& texts, size_t buckets);

}  // namespace features
