// The ledger against a map: every customer comes once, with all purchases in order and the tag of the first, whatever
// the keys, the scales of the batches, and how much of it went through a file.
#include "core/ledger.hpp"

#include "core/decimal.hpp"
#include "fuzz.hpp"

#include <array>
#include <limits>
#include <map>
#include <tuple>

using namespace crm;
using fuzz::attempt;
using fuzz::heap;

namespace {

class memory_file final : public spill_file {
  public:
    std::uint64_t append(byte_span piece) override {
        const std::uint64_t place = content_.size();
        content_.insert(content_.end(), piece.begin(), piece.end());
        return place;
    }
    void read(std::uint64_t place, std::span<std::byte> into) override {
        REQUIRE(place + into.size() <= content_.size());
        std::copy_n(content_.begin() + static_cast<std::ptrdiff_t>(place), into.size(), into.begin());
    }

  private:
    std::vector<std::byte> content_;
};

class same_bytes final : public key_equality {
    bool operator()(byte_span a, byte_span b) const override { return std::ranges::equal(a, b); }
};

struct tagged_order {
    order row; // the key is the customer
    tag with;
};
struct batch {
    std::vector<tagged_order> orders;
    int scale;
};

batch some_batch(FuzzedDataProvider &numbers) {
    batch made{{}, numbers.ConsumeIntegralInRange(0, max_scale)};
    const int key_shift = numbers.PickValueInArray({0, 8, 56});
    const std::int64_t unit =
        numbers.PickValueInArray({std::int64_t{1}, microseconds_per_second, microseconds_per_day});
    const std::int64_t most = numbers.ConsumeBool() ? 100 : std::numeric_limits<std::int64_t>::max();
    for (int left = numbers.ConsumeIntegralInRange(0, 300); left > 0; --left)
        made.orders.push_back({{.key = std::uint64_t{numbers.ConsumeIntegral<std::uint8_t>()} << key_shift,
                                .at = {numbers.ConsumeIntegralInRange<std::int64_t>(-50, 50) * unit},
                                .amount = numbers.ConsumeIntegralInRange(-most, most)},
                               numbers.ConsumeIntegralInRange<tag>(0, 3)});
    return made;
}

constexpr std::array<std::uint32_t, 4> ranks{2, 0, 3, 1};

// How a customer is given to the ledger: as 64 bits, or as bytes with a hash that often collides.
class key_form {
  public:
    explicit key_form(FuzzedDataProvider &numbers)
        : bytes_(numbers.ConsumeBool() ? numbers.ConsumeIntegralInRange<std::size_t>(8, 60) : 0) {}

    bool in_bytes() const { return bytes_ > 0; }
    void add(ledger &to, const batch &all) const {
        std::vector<order> orders;
        std::vector<tag> tags;
        for (const auto &[row, with] : all.orders)
            if (in_bytes()) {
                std::vector<std::byte> key(bytes_);
                store(key.data(), row.key);
                to.add({row.key % 3, row.at, row.amount}, key, all.scale, with);
            } else {
                orders.push_back(row);
                tags.push_back(with);
            }
        if (!in_bytes())
            to.add(orders, all.scale, tags);
    }
    std::uint64_t customer_of(const customer &found) const {
        return in_bytes() ? load<std::uint64_t>(found.key_bytes.data()) : found.key;
    }

  private:
    std::size_t bytes_;
};

using customers = std::map<std::uint64_t, std::vector<std::pair<purchase, tag>>>;

customers expected_of(const std::vector<batch> &batches, int scale) {
    customers all;
    for (const batch &each : batches)
        for (const auto &[row, with] : each.orders)
            all[row.key].push_back({{row.at, rescale(row.amount, each.scale, scale)}, with});
    return all;
}

// The tag of the first purchase; of several at the same time, the one with the lowest rank.
tag first_tag(const std::vector<std::pair<purchase, tag>> &list) {
    const auto place = [](const auto &each) {
        return std::tuple(each.first.is_refund(), each.first.at, ranks[each.second]);
    };
    const auto first = std::ranges::min_element(list, {}, place);
    return first->first.is_refund() ? 0 : first->second;
}

void check_customer(const customer &found, const std::vector<std::pair<purchase, tag>> &list) {
    std::vector<purchase> history;
    for (const auto &[each, with] : list)
        history.push_back(each);
    std::ranges::sort(history);
    REQUIRE(std::ranges::equal(found.history.entries, history));
    REQUIRE(found.first_tag == first_tag(list));
}

} // namespace

FUZZ(input) {
    auto numbers = fuzz::numbers_of(input);
    const key_form keys(numbers);
    std::vector<batch> batches;
    while (numbers.remaining_bytes() > 0 && batches.size() < 4)
        batches.push_back(some_batch(numbers));

    memory_file file;
    const same_bytes equality;
    ledger book(heap(), 0, file, keys.in_bytes() ? &equality : nullptr);
    book.rank_tags(ranks);
    if (!attempt([&] {
            for (const batch &each : batches)
                keys.add(book, each);
            return true;
        }))
        return; // an amount does not fit into 64 bits of the finest scale
    const auto expected = attempt([&] { return expected_of(batches, book.scale()); });
    customers left = expected.value_or(customers());
    customer found;
    if (!attempt([&] {
            while (book.next(found)) {
                if (!expected)
                    continue; // the amount that does not fit is another customer's, yet to come
                const auto place = left.find(keys.customer_of(found));
                REQUIRE(place != left.end() && found.history.scale == book.scale());
                check_customer(found, place->second);
                left.erase(place);
            }
            return true;
        })) {
        REQUIRE(!expected);
        return;
    }
    REQUIRE(expected && left.empty());
}
