// The segment of each score of a map, loaded once.
#pragma once

#include "bridge/postgres.hpp"
#include "rfm/rfm.hpp"

namespace crm::rfm {

class segment_map {
  public:
    // Reads the map in the caller's name, into the current memory context. 42704 for an unknown map.
    static const segment_map *load(const char *name);

    // 22023 when scores of so many grades are not the map's.
    void check_grades(int grades) const;
    void check_score(score of) const;

    int segments() const { return segments_; }
    // A segment's number, from 0, for a score of the map's grades; -1 otherwise.
    int number_of(score of) const { return number_[of.rfm]; }
    // A segment's name as text.
    Datum name(int number) const { return names_[number]; }

  private:
    static constexpr int scores = 1000;

    char map_[NAMEDATALEN];
    int grades_, segments_;
    std::int16_t number_[scores];
    Datum names_[scores];
};

} // namespace crm::rfm
