#include "operations.h"

namespace engine {

namespace {

constexpr size_t FETCHED = 4;  // pages, as many as a core's nearer cache holds beside the rest

}  // namespace

Attend::Attend(Buffer& in, Heads heads, std::shared_ptr<const Angles> angles, bool fp32, size_t pages, Buffer& out)
    : in_(in), heads_(std::move(heads)), angles_(std::move(angles)), fp32_(fp32),
      keys_(pages * stride() * (fp32 ? sizeof(float) : sizeof(Half))), values_(pages * stride() * (fp32 ? sizeof(float) : sizeof(Half))),
      out_(out) {}

void Attend::run(Context& context) {
    const auto pieces = context.step.pieces;
    const size_t heads = heads_.keys;
    const bool single = std::all_of(pieces.begin(), pieces.end(), [](const Piece& piece) { return piece.count == 1; });
    if (single) {  // no query needs another row's keys
        context.worker.phase(pieces.size() * heads, [&](size_t i) {
            const Piece& piece = pieces[i / heads];
            if (i + 1 < pieces.size() * heads) fetch(pieces[(i + 1) / heads], (i + 1) % heads);
            write(context, piece, 0, i % heads);
            attend(context, piece, 0, 1, i % heads);
        });
        return;
    }
    context.worker.phase(context.step.rows(), [&](size_t row) {
        const auto after = std::upper_bound(pieces.begin(), pieces.end(), row, [](size_t at, const Piece& piece) { return at < piece.row; });
        for (size_t head = 0; head < heads; ++head) write(context, *(after - 1), row - (after - 1)->row, head);
    });
    size_t tiles = 0;
    for (const Piece& piece : pieces) tiles += (piece.count + tile() - 1) / tile();
    context.worker.phase(tiles * heads, [&](size_t i) {
        size_t number = i / heads;
        const Piece* piece = pieces.data();
        for (size_t some; number >= (some = (piece->count + tile() - 1) / tile()); ++piece) number -= some;
        // The last rows see most tokens: they go first.
        const size_t first = ((piece->count + tile() - 1) / tile() - 1 - number) * tile();
        attend(context, *piece, first, std::min(tile(), piece->count - first), i % heads);
    });
}

void Attend::rotate(Context& context, size_t row, int32_t place, size_t key_head) {
    const size_t size = heads_.size, angle = static_cast<size_t>(place) * size / 2;
    const auto turn = [&](float* head, const std::optional<Norm>& norm) {
        if (norm) context.kernels.rms_norm(head, norm->weight.data(), size, norm->eps, head);
        context.kernels.rotate(head, angles_->cosines.data() + angle, angles_->sines.data() + angle, size / 2);
    };
    float* heads = in_.row(row);
    for (size_t q = 0; q < group(); ++q) turn(heads + (key_head * group() + q) * size, heads_.query_norm);
    turn(heads + (heads_.queries + key_head) * size, heads_.key_norm);
}

void Attend::write(Context& context, const Piece& piece, size_t row, size_t key_head) {
    const int32_t place = piece.place + static_cast<int32_t>(row);
    rotate(context, piece.row + row, place, key_head);
    const size_t size = heads_.size, slot = static_cast<size_t>(place) % PAGE;
    const float* key = in_.row(piece.row + row) + (heads_.queries + key_head) * size;
    const float* value = key + heads_.keys * size;
    const size_t at = static_cast<size_t>(piece.pages[static_cast<size_t>(place) / PAGE]) * stride() + key_head * size * PAGE;
    if (fp32_) {
        auto* keys = reinterpret_cast<float*>(keys_.data()) + at + slot;
        for (size_t d = 0; d < size; ++d) keys[d * PAGE] = key[d];
        std::copy(value, value + size, reinterpret_cast<float*>(values_.data()) + at + slot * size);
    } else {
        auto* narrow = reinterpret_cast<Half*>(context.row);
        context.kernels.narrow(key, size, narrow);
        auto* keys = reinterpret_cast<Half*>(keys_.data()) + at + slot;
        for (size_t d = 0; d < size; ++d) keys[d * PAGE] = narrow[d];
        context.kernels.narrow(value, size, reinterpret_cast<Half*>(values_.data()) + at + slot * size);
    }
}

// A step of many short sequences reads as many bytes of keys and values as of weights.
void Attend::fetch(const Piece& piece, size_t key_head) const {
    const size_t number = fp32_ ? sizeof(float) : sizeof(Half), bytes = heads_.size * PAGE * number;
    const size_t pages = std::min<size_t>(FETCHED, static_cast<size_t>(piece.place) / PAGE + 1);
    for (size_t page = 0; page < pages; ++page) {
        const size_t at = (static_cast<size_t>(piece.pages[page]) * stride() + key_head * heads_.size * PAGE) * number;
        for (size_t byte = 0; byte < bytes; byte += 64) {
            __builtin_prefetch(keys_.data() + at + byte);
            __builtin_prefetch(values_.data() + at + byte);
        }
    }
}

void Attend::attend(Context& context, const Piece& piece, size_t first, size_t count, size_t key_head) {
    const float* queries[MOST_QUERIES];
    float* outputs[MOST_QUERIES];
    int32_t places[MOST_QUERIES];
    size_t n = 0;
    const size_t size = heads_.size, at = key_head * size * PAGE * (fp32_ ? sizeof(float) : sizeof(Half));
    Attention work{0, queries, outputs, places, piece.pages, keys_.data() + at, values_.data() + at, stride(), size, heads_.scale, heads_.window};
    const auto go = [&] {
        work.count = n;
        (fp32_ ? context.kernels.attend_fp32 : context.kernels.attend_fp16)(work);
        n = 0;
    };
    for (size_t row = piece.row + first; row < piece.row + first + count; ++row) {
        for (size_t q = key_head * group(); q < (key_head + 1) * group(); ++q) {
            queries[n] = in_.row(row) + q * size;
            outputs[n] = out_.row(row) + q * size;
            places[n++] = piece.place + static_cast<int32_t>(row - piece.row);
            if (n == MOST_QUERIES) go();
        }
    }
    if (n) go();
}

}  // namespace engine
