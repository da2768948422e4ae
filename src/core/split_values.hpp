// The values of a column that splits customers, such as entry channel, each with a number: the tag of its orders.
#pragma once

#include "core/error.hpp"
#include "core/ledger.hpp"

#include <optional>
#include <string_view>
#include <unordered_map>

namespace crm {

class split_values {
  public:
    static constexpr std::size_t most = 10'000, most_bytes = std::size_t{4} << 20;

    explicit split_values(memory &in) : numbers_(&in), texts_({std::nullopt}, &in), ranks_(&in) {}

    // NULL is number 0. 54000 when the column has more or longer values than anybody would split by.
    tag number_of(std::optional<std::string_view> text) {
        if (text == texts_[last_])
            return last_;
        if (!text)
            return last_ = 0;
        auto found = numbers_.find(*text);
        if (found == numbers_.end())
            found = insert(*text);
        return last_ = found->second;
    }

    std::optional<std::string_view> text_of(tag number) const { return texts_[number]; }
    std::size_t size() const { return texts_.size(); }

    // Each value's place in the order of their texts, NULL first.
    std::span<const std::uint32_t> ranks() {
        std::pmr::vector<tag> in_order(texts_.size(), texts_.get_allocator().resource());
        for (tag number = 0; number < in_order.size(); ++number)
            in_order[number] = number;
        std::ranges::sort(in_order, {}, [&](tag number) { return texts_[number]; });
        ranks_.resize(in_order.size());
        for (std::uint32_t rank = 0; rank < in_order.size(); ++rank)
            ranks_[in_order[rank]] = rank;
        return ranks_;
    }

  private:
    struct text_hash : std::hash<std::string_view> {
        using is_transparent = void;
    };
    using numbers = std::pmr::unordered_map<std::pmr::string, tag, text_hash, std::equal_to<>>;

    numbers::iterator insert(std::string_view text) {
        if (texts_.size() > most)
            throw error(program_limit_exceeded, "column that splits customers has too many values",
                        short_text("There are more than ", most, "."), split_hint);
        if (bytes_ + text.size() > most_bytes)
            throw error(program_limit_exceeded, "values that split customers are too long",
                        short_text("Together they have more than ", most_bytes, " bytes."), split_hint);
        bytes_ += text.size();
        const auto place = numbers_.try_emplace(std::pmr::string(text), static_cast<tag>(texts_.size())).first;
        texts_.push_back(place->first);
        return place;
    }

    static constexpr const char *split_hint = "Split by a column such as channel or campaign.";

    numbers numbers_;
    std::pmr::vector<std::optional<std::string_view>> texts_; // of the map's own strings
    std::pmr::vector<std::uint32_t> ranks_;
    tag last_ = 0;
    std::size_t bytes_ = 0;
};

} // namespace crm
