// Feeds arbitrary bytes, also such as are no UTF-8, to the pass over the signals, without Python.
//
//   fuzz_signals [SECONDS [SEED]]   makes texts of its own
//   fuzz_signals FILE...            runs the texts in files, such as one that was found
//
// Built with the CMake option OPENHEARTH_SANITIZE, it stops at the first wrong access or undefined
// operation. With -DOPENHEARTH_LIBFUZZER and Clang's -fsanitize=fuzzer it is a target of libFuzzer.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>

#include "../signals.h"

namespace {

using Bytes = std::string;

constexpr size_t DOMAINS = 2, BUCKETS = 31;

const signals::Settings& settings() {
    static const signals::Settings made = [] {
        signals::Settings out;
        auto& lists = out.languages.emplace_back();
        for (const char* word : {"the", "and", "of"}) lists.stop_words.insert(hash::quick(word));
        lists.bad_words.resize(4);
        lists.bad_words[1].insert(hash::quick("bad"));
        lists.bad_words[3].insert(hash::quick("one two three"));
        for (size_t i = 0; i < BUCKETS * DOMAINS; ++i) out.importance.push_back(std::sin(static_cast<double>(i)));
        out.domains = DOMAINS;
        return out;
    }();
    return made;
}

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

// What holds of every table, whatever the texts are.
void check(const signals::Table& table, const Strings& texts) {
    require(table.lengths.size() == texts.size() && table.line_offsets.size() == texts.size() + 1, "a row for each text");
    const size_t lines = table.line_ends.size();
    require(static_cast<size_t>(table.line_offsets.back()) == lines, "the offsets cover all lines");
    for (const auto& column : table.documents) require(column.size() == texts.size(), "a value for each text");
    for (const auto& column : table.lines) require(column.size() == lines, "a value for each line");
    for (size_t i = 0; i < texts.size(); ++i) {
        require(table.lengths[i] <= texts[i].size(), "no more characters than bytes");
        uint32_t before = 0;
        for (auto at = table.line_offsets[i]; at < table.line_offsets[i + 1]; ++at) {
            const uint32_t end = table.line_ends[static_cast<size_t>(at)];
            require(before < end, "lines follow each other");
            before = end;
        }
        require(before == table.lengths[i], "the last line ends with the text");
    }
    for (const auto* columns : {&table.documents, &table.lines}) {
        for (const auto& column : *columns) {
            for (double value : column) require(!std::isinf(value), "values are finite or undefined");
        }
    }
}

}  // namespace

// The first byte says what is asked for; after it come texts that 0xFF separates.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const uint8_t choice = size ? data[0] : 0;
    // Memory of just this size, so that each byte too far is seen.
    std::unique_ptr<char[]> bytes(new char[size]);
    std::vector<int32_t> offsets = {0};
    int32_t end = 0;
    for (size_t i = 1; i < size; ++i) {
        if (data[i] == 0xFF) {
            offsets.push_back(end);
        } else {
            bytes[static_cast<size_t>(end++)] = static_cast<char>(data[i]);
        }
    }
    offsets.push_back(end);
    std::unique_ptr<char[]> exact(new char[static_cast<size_t>(end)]);
    std::copy(bytes.get(), bytes.get() + end, exact.get());
    const Strings texts(exact.get(), offsets.data(), offsets.size() - 1);

    std::mt19937 random(choice);
    std::vector<bool> documents(signals::IMPORTANCE + DOMAINS, true), lines(signals::ALL_LINES, true);
    if (choice >= 128) {  // else all columns
        for (size_t k = 0; k < signals::IMPORTANCE; ++k) documents[k] = random() % 4 == 0;
        for (size_t k = 0; k < lines.size(); ++k) lines[k] = random() % 4 == 0;
    }
    const std::vector<int8_t> languages(texts.size(), static_cast<int8_t>(choice % 2 - 1));
    check(signals::compute(texts, {documents, lines}, settings(), languages.data()), texts);
    return 0;
}

#ifndef OPENHEARTH_LIBFUZZER

namespace {

class Maker {
public:
    explicit Maker(uint64_t seed) : random_(seed) {}

    // A text of pieces that mean something, some of them repeated, with some bytes changed.
    Bytes make() {
        Bytes out(1, static_cast<char>(below(256)));
        for (size_t pieces = size_t{1} << below(8); pieces; --pieces) {
            out += piece();
            if (below(12) == 0) {
                const size_t at = 1 + below(out.size());
                out += out.substr(at, below(200));
            }
        }
        if (below(2)) {
            for (size_t changes = below(9); changes; --changes) change(out);
        }
        if (below(64) == 0) out += Bytes(1 << below(17), "a.-\n \x80"[below(6)]);
        return out;
    }

private:
    size_t below(size_t n) { return n ? random_() % n : 0; }

    Bytes piece() {
        static const char* const PIECES[] = {
            "the ", "The ", "word ", "WORD ", "don't ", "a-b ", "a---b ", "end.Next ", "U.S. ", "1,000 ", "3.14 ", "50% ", "$5 ", "x_y ",
            "lorem ipsum ", "LOREM IPSUM", "lorem \xC4\xB1psum ", "JavaScript ", "javascript ", "terms of use ", "Privacy Policy ",
            "cookie policy ", "uses cookies ", "use of cookies ", "bad ", "one two three ", "3 likes", "1.5k views", "items in cart",
            "Sign-in", "Read more...", "[12]", "[edit]", "[citation needed]", "user@example.org ", "@", "127.0.0.1 ", "256.1.1.1",
            "(555) 123-4567 ", "5551234567", "{", "}", "#", "...", ". . .", "....", "\xE2\x80\xA6", ".", "!", "? ", "\xE3\x80\x82", "\"",
            "'", "\xE2\x80\x9C", "\xE2\x80\x9D", "\xE2\x80\x99", " ", "  ", "\n", "\n", "\n\n", "\n\n\n", "\r\n", "\t", "\xC2\xA0",
            "\xE2\x80\xA8", "\xC2\x85", "\x1C", "\x1F", "\n- ", "\n* ", "\n\xE2\x80\xA2 ", "\n\xE2\x80\x93", "\xC3\x9F", "\xE1\xBA\x9E",
            "\xC5\xBF", "\xC4\xB0", "\xC4\xB1", "\xCE\xA3", "\xCF\x82", "\xC7\x85", "\xEF\xAC\x81", "e\xCC\x81\xCC\xA3", "\xCC\xA3\xCC\x87",
            "\xE2\x84\xAA", "\xC2\xBD", "\xD9\xA3", "\xEA\xB0\x80", "\xED\x9E\xA3", "\xE4\xB8\xAD\xE6\x96\x87", "\xF0\x9F\x98\x80",
            "\xF0\x90\x90\x80", "\xF4\x8F\xBF\xBF", "\xEF\xBB\xBF", "\xE2\x80\x8D",
            // No UTF-8: cut short, alone, too long, a surrogate, too large.
            "\xC3", "\xE2\x80", "\xF0\x9F\x98", "\x80", "\x98\x9F", "\xBF\xBF", "\xC0\x80", "\xE0\x80\xAE", "\xED\xA0\x80",
            "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xFE", "\xFF",
        };
        if (below(8) == 0) return Bytes(1, static_cast<char>(below(256)));
        return PIECES[below(std::size(PIECES))];
    }

    void change(Bytes& bytes) {
        const size_t at = below(bytes.size());
        switch (below(4)) {
            case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
            case 1: bytes.erase(at, 1 + below(8)); break;
            case 2: bytes.insert(at, 1 + below(40), static_cast<char>(below(256))); break;
            default: bytes.resize(at); break;
        }
    }

    std::mt19937_64 random_;
};

void run(const Bytes& bytes) { LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()); }

}  // namespace

int main(int count, char** arguments) {
    if (count > 1 && std::ifstream(arguments[1]).good()) {
        for (int i = 1; i < count; ++i) {
            std::ifstream file(arguments[i], std::ios::binary);
            run({std::istreambuf_iterator<char>(file), {}});
        }
        return 0;
    }
    const double seconds = count > 1 ? std::atof(arguments[1]) : 10;
    Maker maker(count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1);
    const auto start = std::chrono::steady_clock::now();
    size_t executions = 0;
    while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds) {
        const Bytes bytes = maker.make();
        // Kept until it has run, so that what ends the process can be run again.
        std::ofstream("fuzz_signals.last", std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        run(bytes);
        ++executions;
    }
    std::remove("fuzz_signals.last");
    std::printf("%zu executions\n", executions);
    return 0;
}

#endif
