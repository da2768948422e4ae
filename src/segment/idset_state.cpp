#include "segment/idset_state.hpp"

#include "core/flat.hpp"
#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

namespace crm::segment {
namespace {

constexpr char union_kind = 'I', intersection_kind = 'J';

// Behind the head, which counts the ids that are not in the set yet: how long the set is, the set, those ids.
constexpr std::size_t front = sizeof(flat_head) + sizeof(std::uint64_t);
constexpr std::size_t id_bytes = sizeof(std::int64_t);

std::size_t padded(std::size_t bytes) { return (bytes + id_bytes - 1) / id_bytes * id_bytes; }

// Merging rewrites the set, so the larger it is the more ids are worth it.
std::size_t pending_for(std::size_t set_bytes) {
    return std::clamp<std::size_t>(set_bytes / id_bytes, std::size_t{1} << 16, std::size_t{1} << 22);
}

class parts {
  public:
    explicit parts(byte_span state)
        : state_(state), head_(check_flat(state, union_kind, id_bytes, front - sizeof(flat_head))) {
        set_bytes_ = load<std::uint64_t>(state.data() + sizeof(flat_head));
        if (set_bytes_ > max_bytes || front + padded(set_bytes_) + pending() * id_bytes > state.size())
            throw_invalid_state("Its parts are longer than the whole.");
    }

    std::size_t pending() const { return head_.count; }
    std::size_t pending_place() const { return front + padded(set_bytes_); }
    std::size_t room() const { return (state_.size() - pending_place()) / id_bytes; }
    std::size_t set_bytes() const { return set_bytes_; }
    flat_head head() const { return head_; }

    byte_vector set_with_pending(memory &in) const {
        std::pmr::vector<std::int64_t> ids(pending(), &in);
        std::ranges::copy(state_.subspan(pending_place(), pending() * id_bytes),
                          std::as_writable_bytes(std::span(ids)).begin());
        const byte_vector more = encode(ids, in);
        return set_bytes_ == 0 ? more : combine(in, set_operation::unite, {state_.subspan(front, set_bytes_)}, {more});
    }

  private:
    byte_span state_;
    flat_head head_;
    std::size_t set_bytes_;
};

std::size_t append(std::span<std::byte> state, const parts &at, std::int64_t id) {
    flat_head head = at.head();
    store(state.data() + at.pending_place() + head.count * id_bytes, id);
    ++head.count;
    store(state.data(), head);
    return 0;
}

std::size_t replace(std::span<std::byte> state, flat_head head, const byte_vector &set) {
    const std::size_t needed = front + padded(set.size()) + pending_for(set.size()) * id_bytes;
    if (needed > state.size())
        return needed;
    head.count = 0;
    store(state.data(), head);
    store(state.data() + sizeof head, static_cast<std::uint64_t>(set.size()));
    std::ranges::copy(set, state.data() + front);
    return needed;
}

} // namespace

std::size_t state_bytes(std::size_t ids) { return front + ids * id_bytes; }

std::size_t add_id(std::span<std::byte> state, std::int64_t id, memory &scratch) {
    const parts at(state);
    if (at.pending() < at.room()) [[likely]]
        return append(state, at, id);
    if (at.pending() < pending_for(at.set_bytes()))
        return at.pending_place() + (at.pending() + 1) * id_bytes;
    // The id that has no room yet comes again, once there is some.
    const std::size_t needed = replace(state, at.head(), at.set_with_pending(scratch));
    return needed > state.size() ? needed : append(state, parts(state), id);
}

std::size_t add_set(std::span<std::byte> state, idset more, memory &scratch) {
    const parts at(state);
    const std::uint64_t count = cardinality({more.bytes});
    if (count + at.pending() > pending_for(at.set_bytes()))
        return replace(state, at.head(), combine(scratch, set_operation::unite, {at.set_with_pending(scratch)}, more));
    const std::size_t needed = at.pending_place() + (at.pending() + count) * id_bytes;
    if (needed > state.size())
        return needed;
    flat_head head = at.head();
    member_cursor members(more);
    interrupt_poll poll;
    std::byte *to = state.data() + at.pending_place() + at.pending() * id_bytes;
    std::int64_t id;
    for (std::uint64_t i = 0; i < count && members.next(id); ++i, ++head.count) {
        poll();
        store(to + i * id_bytes, id);
    }
    store(state.data(), head);
    return needed;
}

std::size_t add_state(std::span<std::byte> state, byte_span other, memory &scratch) {
    return add_set(state, {finish_state(scratch, other)}, scratch);
}

byte_vector finish_state(memory &in, byte_span state) { return parts(state).set_with_pending(in); }

std::size_t keep_common(std::span<std::byte> state, idset with, memory &scratch) {
    flat_head head = check_flat(state, intersection_kind, 1);
    const byte_vector common =
        head.count == 0 ? byte_vector(with.bytes.begin(), with.bytes.end(), &scratch)
                        : combine(scratch, set_operation::intersect, {state.subspan(sizeof head, head.count)}, with);
    const std::size_t needed = sizeof head + common.size();
    if (needed > state.size())
        return needed;
    head.count = common.size();
    store(state.data(), head);
    std::ranges::copy(common, state.data() + sizeof head);
    return needed;
}

std::size_t keep_common_state(std::span<std::byte> state, byte_span other, memory &scratch) {
    const flat_head head = check_flat(other, intersection_kind, 1);
    return head.count == 0 ? 0 : keep_common(state, {other.subspan(sizeof head, head.count)}, scratch);
}

byte_vector finish_common(memory &in, byte_span state) {
    const flat_head head = check_flat(state, intersection_kind, 1);
    if (head.count == 0)
        throw_invalid_state("It holds no set.");
    const byte_span set = state.subspan(sizeof head, head.count);
    return byte_vector(set.begin(), set.end(), &in);
}

} // namespace crm::segment
