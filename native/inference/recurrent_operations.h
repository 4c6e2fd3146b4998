// The operations of mixers with a recurrent state.
#pragma once

#include "operations.h"
#include "states.h"

namespace engine {

// A short filter of each channel, and where in the rows its inputs and gates stand.
struct Filter {
    size_t channels, taps;
    std::vector<float> weight, bias;  // [taps][channels], the oldest first
    size_t x;
    std::optional<size_t> before, after;
    bool silu;
};

// A causal convolution, whose last inputs it keeps of every sequence.
class Convolve : public Operation {
public:
    Convolve(Buffer& in, Filter filter, std::shared_ptr<States> states, Buffer& out)
        : in_(in), filter_(std::move(filter)), states_(std::move(states)), out_(out) {}
    void run(Context&) override;

private:
    Buffer& in_;
    Filter filter_;
    std::shared_ptr<States> states_;
    Buffer& out_;
};

// The sizes of a recurrence's steps and, if there are logarithms, its decays behind them.
class Pace : public Operation {
public:
    Pace(Buffer& in, size_t column, std::vector<float> bias, std::vector<float> logs, float least, float most, Buffer& out)
        : in_(in), column_(column), bias_(std::move(bias)), logs_(std::move(logs)), least_(least), most_(most), out_(out) {}
    void run(Context&) override;

private:
    Buffer& in_;
    size_t column_;
    std::vector<float> bias_, logs_;
    float least_, most_;
    Buffer& out_;
};

// x = factor * sigmoid(x) of some columns.
class Sigmoid : public Operation {
public:
    Sigmoid(Buffer& x, size_t column, size_t count, float factor) : x_(x), column_(column), count_(count), factor_(factor) {}
    void run(Context&) override;

private:
    Buffer& x_;
    size_t column_, count_;
    float factor_;
};

// Neighbouring columns in parts of one size, each normed by itself; the weights, and biases, are those of so
// many parts, which take turns.
class NormParts : public Operation {
public:
    NormParts(Buffer& x, size_t column, size_t parts, size_t weights, Norm norm)
        : x_(x), column_(column), parts_(parts), weights_(weights), norm_(std::move(norm)) {}
    void run(Context&) override;

private:
    Buffer& x_;
    size_t column_, parts_, weights_;
    Norm norm_;
};

// x *= silu(gate).
class Gate : public Operation {
public:
    Gate(Buffer& gate, size_t column, Buffer& x) : gate_(gate), column_(column), x_(x) {}
    void run(Context&) override;

private:
    Buffer& gate_;
    size_t column_;
    Buffer& x_;
};

// Where a layer's heads find what they remember; `groups` of neighbouring heads share keys and queries.
struct Memory {
    size_t heads, groups, keys, values;
    size_t key, query, value;  // columns of the rows
    size_t decay, share;       // columns of theirs, one of each head
    bool corrects;
    std::vector<float> skip;   // of each head, if any
};

class Remember : public Operation {
public:
    Remember(Buffer& in, Buffer& decays, Buffer& shares, Memory memory, std::shared_ptr<States> states, Buffer& out)
        : in_(in), decays_(decays), shares_(shares), memory_(std::move(memory)), states_(std::move(states)), out_(out) {}
    void run(Context&) override;

private:
    Buffer &in_, &decays_, &shares_;
    Memory memory_;
    std::shared_ptr<States> states_;
    Buffer& out_;
};

// The selective state space of each channel.
struct Space {
    std::vector<float> logs, skip;  // [numbers][channels], [channels]
    size_t write, read;             // columns of what is chosen
};

class Scan : public Operation {
public:
    Scan(Buffer& x, Buffer& steps, Buffer& chosen, Space space, std::shared_ptr<States> states, Buffer& out)
        : x_(x), steps_(steps), chosen_(chosen), space_(std::move(space)), states_(std::move(states)), out_(out) {}
    void run(Context&) override;

private:
    Buffer &x_, &steps_, &chosen_;
    Space space_;
    std::shared_ptr<States> states_;
    Buffer& out_;
};

// A filter of each channel that is a sum of modes, of the product of two columns, and a gate.
struct Modes {
    std::vector<float> poles, residues, direct;  // [modes][2][channels] the first two, [channels]
    size_t gate, one, other;                     // columns of the rows
};

class Ring : public Operation {
public:
    Ring(Buffer& in, Modes modes, std::shared_ptr<States> states, Buffer& out)
        : in_(in), modes_(std::move(modes)), states_(std::move(states)), out_(out) {}
    void run(Context&) override;

private:
    Buffer& in_;
    Modes modes_;
    std::shared_ptr<States> states_;
    Buffer& out_;
};

}  // namespace engine
