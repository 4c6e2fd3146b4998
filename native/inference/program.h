// A model as a flat list of operations that a team of threads carries out for a whole ragged batch.
//
// A step's rows are tokens of several sequences, one piece of neighbouring rows each. Every operation
// computes each row from that row alone (attention also from its sequence's pages), in an order that
// depends on nothing else: so a sequence's numbers are the same in any company.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "kernels.h"
#include "matrix.h"
#include "team.h"

namespace engine {

// Neighbouring rows of one sequence.
struct Piece {
    size_t row, count;
    int32_t place;         // in the sequence, of the first
    const int32_t* pages;  // of the sequence
    int32_t slot;          // of its recurrent states
};

constexpr int32_t NONE = -1;

// What a step computes.
struct Step {
    std::span<const int32_t> tokens;
    std::span<const Piece> pieces;
    std::span<const int32_t> wanted;    // rows whose logits are asked for
    std::span<const int32_t> adapters;  // of each row, or NONE
    size_t rows() const { return tokens.size(); }
    const Piece& piece_of(size_t row) const {
        const auto after = std::upper_bound(pieces.begin(), pieces.end(), row, [](size_t at, const Piece& piece) { return at < piece.row; });
        return *(after - 1);
    }
};

// Memory that was given away and came back, so that the system need not find new pages for every step.
class Spare {
public:
    std::vector<float> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(values_, {});
    }
    void give(std::vector<float>&& values) {
        const std::lock_guard lock(mutex_);
        values_ = std::move(values);
    }

private:
    std::mutex mutex_;
    std::vector<float> values_;
};

// Rows of one width. Operations read and write them; they lie in memory that is there from the start.
struct Buffer {
    size_t width;
    bool wanted;  // only rows whose logits are asked for
    std::vector<float> values;
    std::shared_ptr<Spare> spare = std::make_shared<Spare>();
    float* row(size_t i) { return values.data() + i * width; }
    void reserve(size_t rows) {
        if (values.empty()) values = spare->take();
        if (values.size() < rows * width) values.resize(rows * width);
    }
};

class LowRank;

// Rows as the kernels multiply them: as they are, or quantised.
struct Ready {
    std::vector<float> values, scales, totals;
    std::vector<int8_t> numbers;
    std::vector<int32_t> shifts;
    std::vector<const LowRank*> adapters;  // of each row, or null
    std::vector<float> thin;               // what they make of the rows, [rows][rank]

    void reserve(size_t rows, size_t inputs, size_t rank);
    Rows rows(size_t inputs) const { return {values.data(), numbers.data(), scales.data(), shifts.data(), totals.data(), inputs}; }
    Quantised quantised(size_t row, size_t inputs) {
        const size_t block = first_block(row, inputs);
        return {numbers.data() + block * BLOCK, scales.data() + block, shifts.data() + block, totals.data() + block};
    }
};

struct Context {
    const Step& step;
    Worker& worker;
    const Kernels& kernels;
    Ready& shared;  // by all threads
    Ready& own;     // of this thread, for FEW rows
    float* row;     // of this thread, one of the widest
    size_t rank;    // of rows that adapters have made thin
    size_t rows_of(const Buffer& buffer) const { return buffer.wanted ? step.wanted.size() : step.rows(); }
};

constexpr size_t FEW = GROUP;  // rows that each thread makes ready for itself, which saves a meeting

constexpr size_t PHASES = 2;  // of an operation, at most

class Operation {
public:
    virtual ~Operation() = default;
    // Called by every thread of the team, in no more than PHASES phases.
    virtual void run(Context&) = 0;
    // Asks for one of `parts` of what it will read of memory, while the operation before it computes.
    virtual void fetch(const Step&, size_t /*part*/, size_t /*parts*/) const {}
    // How wide the rows are that it makes ready.
    virtual size_t width() const { return 0; }

    const Operation* next = nullptr;
};

class Program {
public:
    Program(const Kernels& kernels, size_t threads) : kernels_(kernels), team_(threads), own_(team_.size()) {}

    Buffer& buffer(size_t width, bool wanted);
    void add(std::unique_ptr<Operation> operation) {
        widest_ = std::max(widest_, operation->width());
        if (!operations_.empty()) operations_.back()->next = operation.get();
        operations_.push_back(std::move(operation));
    }
    void run(const Step& step);
    // Adapters of at most this rank will follow.
    void make_room(size_t rank) { rank_ = std::max(rank_, rank); }
    const Kernels& kernels() const { return kernels_; }
    Team& team() { return team_; }

private:
    const Kernels& kernels_;
    Team team_;
    std::vector<std::unique_ptr<Buffer>> buffers_;
    std::vector<std::unique_ptr<Operation>> operations_;
    size_t widest_ = 0, rank_ = 0;
    Ready shared_;
    struct Own {
        Ready ready;
        std::vector<float> row;
    };
    std::vector<Own> own_;
};

}  // namespace engine
