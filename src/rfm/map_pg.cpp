#include "rfm/map_pg.hpp"

extern "C" {
#include <catalog/pg_type.h>
#include <executor/spi.h>
#include <utils/datum.h>
}

namespace crm::rfm {
namespace {

// Equal names are neighbours, so that each needs one comparison with the name before.
constexpr const char *scores_query = "SELECT crm.r(score), crm.f(score), crm.m(score), segment "
                                     "FROM crm.rfm_map_scores($1) ORDER BY segment";

} // namespace

const segment_map *segment_map::load(const char *name) {
    auto *map = static_cast<segment_map *>(palloc0(sizeof(segment_map)));
    const MemoryContext keeper = CurrentMemoryContext;
    strlcpy(map->map_, name, NAMEDATALEN);
    std::ranges::fill(map->number_, static_cast<std::int16_t>(-1));

    Oid type = NAMEOID;
    Datum argument = CStringGetDatum(map->map_);
    SPI_connect();
    if (SPI_execute_with_args(scores_query, 1, &type, &argument, nullptr, true, 0) != SPI_OK_SELECT)
        elog(ERROR, "could not read map of segments");
    for (std::uint64_t i = 0; i < SPI_processed; ++i) {
        HeapTuple row = SPI_tuptable->vals[i];
        bool null;
        int digits[3];
        for (int column = 0; column < 3; ++column)
            digits[column] = DatumGetInt16(SPI_getbinval(row, SPI_tuptable->tupdesc, column + 1, &null));
        const Datum segment = SPI_getbinval(row, SPI_tuptable->tupdesc, 4, &null);
        map->grades_ = std::max(map->grades_, digits[0]);
        if (null)
            continue;
        if (map->segments_ == 0 || !datumIsEqual(map->names_[map->segments_ - 1], segment, false, -1)) {
            const MemoryContext inside = MemoryContextSwitchTo(keeper);
            map->names_[map->segments_++] = datumCopy(segment, false, -1);
            MemoryContextSwitchTo(inside);
        }
        map->number_[score::of(digits[0], digits[1], digits[2]).rfm] = static_cast<std::int16_t>(map->segments_ - 1);
    }
    SPI_finish();
    return map;
}

void segment_map::check_grades(int grades) const {
    if (grades != grades_)
        ereport(
            ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("map \"%s\" is made for %d grades", map_, grades_),
             errdetail("The bands give %d grades.", grades),
             errhint("Give bands with %d cut points, say grades => %d, or choose another map.", grades_ - 1, grades_)));
}

void segment_map::check_score(score of) const {
    if (const int grade = std::max({of.r(), of.f(), of.m()}); grade > grades_)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("map \"%s\" is made for %d grades", map_, grades_),
                 errdetail("The score has a grade of %d.", grade), errhint("Choose another map.")));
}

} // namespace crm::rfm
