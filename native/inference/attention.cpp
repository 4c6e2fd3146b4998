#include "operations.h"

namespace engine {

namespace {

constexpr int32_t FETCHED = 4;  // pages, as many as a core's nearer cache holds beside the rest

bool is_single(const Step& step) {
    return std::all_of(step.pieces.begin(), step.pieces.end(), [](const Piece& piece) { return piece.count == 1; });
}

}  // namespace

Attend::Attend(Buffer& in, Heads heads, std::shared_ptr<const Angles> angles, std::shared_ptr<KeyValues> memory, Buffer& out)
    : in_(in), heads_(std::move(heads)), angles_(std::move(angles)), memory_(std::move(memory)), out_(out) {}

void Attend::run(Context& context) {
    const auto pieces = context.step.pieces;
    const size_t heads = heads_.keys;
    if (is_single(context.step)) {  // no query needs another row's keys
        context.worker.phase(pieces.size() * heads, [&](size_t i) {
            const Piece& piece = pieces[i / heads];
            write(context, piece, 0, i % heads);
            attend(context, piece, 0, 1, i % heads);
        });
        return;
    }
    context.worker.phase(context.step.rows(), [&](size_t row) {
        const Piece& piece = context.step.piece_of(row);
        for (size_t head = 0; head < heads; ++head) write(context, piece, row - piece.row, head);
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
    const size_t width = room(heads_.size), angle = static_cast<size_t>(place) * width / 2;
    const auto turn = [&](float* head, const std::optional<Norm>& norm) {
        if (norm) norm->apply(context.kernels, head, head);
        if (angles_) context.kernels.rotate(head, angles_->cosines.data() + angle, angles_->sines.data() + angle, width / 2);
    };
    float* heads = in_.row(row);
    for (size_t q = 0; q < group(); ++q) turn(heads + (key_head * group() + q) * width, heads_.query_norm);
    turn(heads + (heads_.queries + key_head) * width, heads_.key_norm);
}

void Attend::write(Context& context, const Piece& piece, size_t row, size_t key_head) {
    const int32_t place = piece.place + static_cast<int32_t>(row);
    rotate(context, piece.row + row, place, key_head);
    const size_t width = room(heads_.size), slot = static_cast<size_t>(place) % PAGE;
    const float* key = in_.row(piece.row + row) + (heads_.queries + key_head) * width;
    memory_->write(context.kernels, piece.pages[static_cast<size_t>(place) / PAGE], key_head, slot, key, key + heads_.keys * width, context.row);
}

// A step of many short sequences reads as many bytes of keys and values as of weights, and its products
// leave memory idle.
void Attend::fetch(const Step& step, size_t part, size_t parts) const {
    const size_t count = step.pieces.size() * heads_.keys;
    if (!is_single(step) || count == 1) return;
    for (size_t i = part * count / parts; i < (part + 1) * count / parts; ++i) {
        const Piece& piece = step.pieces[i / heads_.keys];
        const int32_t pages = std::min(FETCHED, piece.place / static_cast<int32_t>(PAGE) + 1);
        for (int32_t page = 0; page < pages; ++page) memory_->fetch(piece.pages[page], i % heads_.keys);
    }
}

void Attend::attend(Context& context, const Piece& piece, size_t first, size_t count, size_t key_head) {
    const float* queries[MOST_QUERIES];
    float* outputs[MOST_QUERIES];
    int32_t lasts[MOST_QUERIES];
    size_t n = 0;
    Attention work{0, queries, outputs, lasts, piece.pages, memory_->at(0, key_head), memory_->page_bytes(), heads_.size, heads_.scale, heads_.window};
    const auto go = [&] {
        work.count = n;
        context.kernels.attend(memory_->kept(), work);
        n = 0;
    };
    for (size_t row = first; row < first + count; ++row) {
        for (size_t q = key_head * group(); q < (key_head + 1) * group(); ++q) {
            queries[n] = in_.row(piece.row + row) + q * room(heads_.size);
            outputs[n] = out_.row(piece.row + row) + q * heads_.size;
            lasts[n++] = piece.place + static_cast<int32_t>(heads_.causal ? row : piece.count - 1);
            if (n == MOST_QUERIES) go();
        }
    }
    if (n) go();
}

}  // namespace engine
