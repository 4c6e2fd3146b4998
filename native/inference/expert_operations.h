// The operations of mixtures of experts, where each row takes a few of many matrices.
#pragma once

#include "operations.h"

namespace engine {

// Which experts a row takes: those with the best scores, to which `bias`, if there is one, is added for the
// choice alone; of groups of experts only those in the best, each as good as its best two.
struct Choice {
    size_t experts, active, groups, active_groups;
    bool softmax, normalised;  // or by sigmoid
    float factor;
    std::vector<float> bias;
};

// The rows of a step, each as often as it takes an expert, in slots. Those of an expert lie together, from a
// multiple of MOST_ROWS on, so that its weights are read once.
struct Routes {
    struct Place {
        size_t row, rank;
    };
    struct Share {
        size_t expert, first, count;
    };
    std::vector<Place> places;  // of each slot
    std::vector<size_t> slots;  // [rows][active]
    std::vector<Share> shares;  // of experts that somebody takes
    std::vector<size_t> ends;   // of each expert's slots
    Ready ready;                // the slots' rows
    size_t widest = 0;          // of these rows
};

// From scores, of which it changes what it reads, the experts of each row by their numbers, behind them
// their weights, and behind these a one, for what every row takes. Fills the routes.
class Route : public Operation {
public:
    Route(Buffer& scores, Choice choice, std::shared_ptr<Routes> routes, Buffer& chosen)
        : scores_(scores), choice_(std::move(choice)), routes_(std::move(routes)), chosen_(chosen) {}
    void run(Context&) override;
    size_t width() const override { return 2 * choice_.experts; }

private:
    void choose(Context&, float* scores, float* chosen) const;
    void close_groups(float* open, float* scores) const;
    void gather(size_t rows);

    Buffer& scores_;
    Choice choice_;
    std::shared_ptr<Routes> routes_;
    Buffer& chosen_;
};

// y = x W^T with the matrix of each of a row's experts, their outputs side by side; x is one for all, or side
// by side too. The experts' matrices are one, their outputs one after another.
class Experts : public Operation {
public:
    Experts(Buffer& in, Matrix matrix, size_t experts, size_t active, Use use, std::shared_ptr<Routes> routes, Buffer& out)
        : in_(in), matrix_(std::move(matrix)), experts_(experts), active_(active), use_(use), routes_(std::move(routes)), out_(out) {
        routes_->widest = std::max(routes_->widest, matrix_.inputs());
    }
    void run(Context&) override;

private:
    void prepare(Context&, size_t row, size_t rank);
    void multiply(Context&, const Routes::Share&, size_t first, size_t count, size_t panel);
    size_t together() const { return is_gated(use_) ? 2 : 1; }  // panels
    size_t panels() const { return matrix_.panels() / experts_ / together(); }

    Buffer& in_;
    Matrix matrix_;
    size_t experts_, active_;
    Use use_;
    std::shared_ptr<Routes> routes_;
    Buffer& out_;
};

// The sum of a row's parts, which lie side by side, each times its weight, put into `out` or added to it.
class Blend : public Operation {
public:
    Blend(Buffer& parts, Buffer& weights, size_t column, Use use, Buffer& out)
        : parts_(parts), weights_(weights), column_(column), use_(use), out_(out) {}
    void run(Context&) override;
    size_t width() const override { return out_.width; }

private:
    Buffer &parts_, &weights_;
    size_t column_;  // of the first weight
    Use use_;
    Buffer& out_;
};

}  // namespace engine
