/*
 * Tells how long a process works without looking whether it shall end. For the tests of interrupts only; it is no part
 * of pg_crm.
 *
 * What a loop looks at is a flag of PostgreSQL's. A timer of this process's own processor time raises it every ten
 * milliseconds; whoever looks lowers it and, since nothing else is to be done, goes on.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include <signal.h>
#include <sys/time.h>

PG_MODULE_MAGIC;

static volatile sig_atomic_t deaf, longest;

static void tick(int number) {
    deaf = InterruptPending ? deaf + 1 : 0;
    if (deaf > longest)
        longest = deaf;
    InterruptPending = true;
}

static void set_timer(int microseconds) {
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};

    if (setitimer(ITIMER_VIRTUAL, &timer, NULL) != 0)
        elog(ERROR, "setitimer: %m");
}

/* polls.watch(): begins. */
PG_FUNCTION_INFO_V1(polls_watch);
Datum polls_watch(PG_FUNCTION_ARGS) {
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};

    sigaction(SIGVTALRM, &action, NULL);
    deaf = longest = 0;
    set_timer(10000);
    PG_RETURN_VOID();
}

/* polls.longest(): ends; for how many ticks on end nobody looked. */
PG_FUNCTION_INFO_V1(polls_longest);
Datum polls_longest(PG_FUNCTION_ARGS) {
    set_timer(0);
    PG_RETURN_INT32(longest);
}

/* polls.deaf(): works for half a second and does not look. */
PG_FUNCTION_INFO_V1(polls_deaf);
Datum polls_deaf(PG_FUNCTION_ARGS) {
    int until = deaf + 50;

    while (deaf < until)
        ;
    PG_RETURN_VOID();
}
