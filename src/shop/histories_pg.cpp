// crm.shop_histories: crm.histories with the entry channel of each customer.
#include "history/datum.hpp"

#include "bridge/orders.hpp"
#include "bridge/rows.hpp"
#include "bridge/split.hpp"

using namespace crm;
using namespace crm::bridge;

CRM_ENTRY(crm_shop_histories) {
    row_writer rows(fcinfo);
    order_pass *pass = read_orders(query_argument(fcinfo), rows.column_type(0), columns::with_split);
    customer each;
    while (next_customer(pass, each)) {
        const split_column channel(pass->splits.text_of(each.first_tag));
        rows.write([&](Datum *values, bool *nulls) {
            values[0] = customer_datum(pass, each);
            values[1] = run<byte_vector>(fcinfo, [&] {
                memory &here = current_memory();
                return history::encode_sorted(each.history, here);
            });
            Datum *last = values + 2;
            bool *last_null = nulls + 2;
            channel.write(last, last_null);
        });
    }
    finish(pass);
    return 0;
}
