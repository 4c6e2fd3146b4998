// The first four bytes of SHA-1 (FIPS 180-4), as a number whose first byte is the lowest.
#pragma once

#include <cstdint>
#include <string_view>

namespace sha1 {

uint32_t first(std::string_view message);
uint32_t first_portably(std::string_view message);  // without the processor's instructions for it

}  // namespace sha1
