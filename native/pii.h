// E-mail addresses, telephone numbers and IPv4 addresses; openhearth/data/pii.py has the patterns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text.h"

namespace pii {

enum Kind : uint8_t { EMAIL, IP, PHONE };

struct Match {
    size_t begin, end;  // bytes
    Kind kind;
};

// What is found in a text, from left to right, given its words.
std::vector<Match> find(std::string_view text, const std::vector<text::Word>& words);

}  // namespace pii
