// The operations of RWKV-7's time mixing.
#pragma once

#include "operations.h"
#include "states.h"

namespace engine {

// Of each row, mixtures with the row before it, one for each of `outs`: x + share * (before - x).
class Shift : public Operation {
public:
    Shift(Buffer& in, std::vector<float> shares, std::shared_ptr<States> states, std::vector<Buffer*> outs)
        : in_(in), shares_(std::move(shares)), states_(std::move(states)), outs_(std::move(outs)) {}
    void run(Context&) override;

private:
    void mix(size_t row, const float* before, size_t first, size_t end);

    Buffer& in_;
    std::vector<float> shares_;  // [outs][width]
    std::shared_ptr<States> states_;
    std::vector<Buffer*> outs_;
};

// What is known of each channel, [heads * size].
struct Channels {
    size_t heads;
    std::vector<float> decay_bias, rate_bias, taken_scale, key_rate, bonus;
    size_t all() const { return bonus.size(); }
    size_t size() const { return all() / heads; }  // of a head
};

// Of rows with what is asked, decays, keys, values and rates side by side, and room for what is taken out
// behind them, all in so many heads, what the memory says.
class Replace : public Operation {
public:
    Replace(Buffer& rows, std::shared_ptr<const Channels> channels, std::shared_ptr<States> states, Buffer& out)
        : rows_(rows), channels_(std::move(channels)), states_(std::move(states)), out_(out) {}
    void run(Context&) override;

private:
    Buffer& rows_;
    std::shared_ptr<const Channels> channels_;
    std::shared_ptr<States> states_;
    Buffer& out_;
};

// y = (y + bonus) * gate, where the bonus is what a token says of itself.
class Bonus : public Operation {
public:
    Bonus(Buffer& rows, Buffer& gate, std::shared_ptr<const Channels> channels, Buffer& y)
        : rows_(rows), gate_(gate), channels_(std::move(channels)), y_(y) {}
    void run(Context&) override;

private:
    Buffer &rows_, &gate_;
    std::shared_ptr<const Channels> channels_;
    Buffer& y_;
};

}  // namespace engine
