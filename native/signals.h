// RedPajama-V2's signals of an ASCII text; see openhearth/data/signals/reference.py for what each is.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

struct Signals {
    // In the order of DOCUMENT; NaN where the reference says None.
    std::vector<double> document;
    // In the order of LINES, one value per line.
    std::vector<std::vector<double>> lines;
};

Signals compute_signals(std::string_view text, const std::unordered_set<std::string>& stop_words);
