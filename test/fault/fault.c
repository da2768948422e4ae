/*
 * Makes memory run out and disks fill up on purpose. For the tests of faults only; it is no part of pg_crm.
 *
 * Preloaded into a server (LD_PRELOAD) it stands in front of the C library's allocation and file functions, and counts
 * what the process asks of them. As a library of SQL functions it is told which one is to fail, once, in this process.
 */
#define _GNU_SOURCE
#include "postgres.h"

#include "fmgr.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

PG_MODULE_MAGIC;

enum kind { allocation, temporary_write, temporary_read, kinds };

static struct {
    int64 asked, fails_at;
    bool failed;
} watch[kinds];
static bool watching = false;
static int64 live_bytes = 0;

/*
 * PostgreSQL 15 itself ends a session that has no memory left for the name of a setting of a function. It is of no use
 * to find that again and again.
 */
static bool ends_the_session(void) {
    void *callers[8];
    int count = backtrace(callers, lengthof(callers));
    Dl_info caller;

    for (int i = 0; i < count; ++i)
        if (dladdr(callers[i], &caller) != 0 && caller.dli_sname != NULL &&
            strcmp(caller.dli_sname, "ParseLongOption") == 0)
            return true;
    return false;
}

static bool must_fail(enum kind what) {
    if (!watching || ++watch[what].asked != watch[what].fails_at)
        return false;
    watching = false; /* looking for the callers may allocate */
    watch[what].failed = what != allocation || !ends_the_session();
    watching = true;
    watch[what].fails_at += !watch[what].failed;
    return watch[what].failed;
}

/* Memory: glibc's own functions under the names that they keep for this. */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void *counted(void *found) {
    live_bytes += (int64)malloc_usable_size(found);
    return found;
}

static void *exhausted(void) {
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size) { return must_fail(allocation) ? exhausted() : counted(__libc_malloc(size)); }

void *calloc(size_t count, size_t size) {
    return must_fail(allocation) ? exhausted() : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size) {
    int64 had = (int64)malloc_usable_size(old);
    void *found;

    if (must_fail(allocation))
        return exhausted();
    found = __libc_realloc(old, size);
    if (found != NULL || size == 0)
        live_bytes -= had;
    return counted(found);
}

void free(void *what) {
    live_bytes -= (int64)malloc_usable_size(what);
    __libc_free(what);
}

void *memalign(size_t alignment, size_t size) {
    return must_fail(allocation) ? exhausted() : counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **found, size_t alignment, size_t size) {
    void *memory = memalign(alignment, size);

    if (memory == NULL)
        return ENOMEM;
    *found = memory;
    return 0;
}

/* Files: only PostgreSQL's temporary ones fail. */

static bool is_temporary(int file) {
    char name[64], path[MAXPGPATH];
    ssize_t length;

    if (!watching)
        return false;
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    length = readlink(name, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    return strstr(path, "pgsql_tmp") != NULL;
}

static bool file_fails(int file, enum kind what, int error) {
    if (!is_temporary(file) || !must_fail(what))
        return false;
    errno = error;
    return true;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t place) {
    return file_fails(file, temporary_write, ENOSPC) ? -1 : syscall(SYS_pwrite64, file, bytes, count, place);
}
ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t place) {
    return pwrite(file, bytes, count, place);
}
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t place) {
    return file_fails(file, temporary_write, ENOSPC) ? -1 : syscall(SYS_pwritev, file, parts, count, place, 0);
}
ssize_t pread(int file, void *bytes, size_t count, off_t place) {
    return file_fails(file, temporary_read, EIO) ? -1 : syscall(SYS_pread64, file, bytes, count, place);
}
ssize_t pread64(int file, void *bytes, size_t count, off64_t place) { return pread(file, bytes, count, place); }
ssize_t preadv(int file, const struct iovec *parts, int count, off_t place) {
    return file_fails(file, temporary_read, EIO) ? -1 : syscall(SYS_preadv, file, parts, count, place, 0);
}

/* fault.arm(kind, n): from now on count, and let the nth call of this kind fail; 0 only counts. */
PG_FUNCTION_INFO_V1(fault_arm);
Datum fault_arm(PG_FUNCTION_ARGS) {
    memset(watch, 0, sizeof watch);
    ends_the_session(); /* loads what it needs */
    watch[PG_GETARG_INT32(0)].fails_at = PG_GETARG_INT64(1);
    watching = true;
    PG_RETURN_VOID();
}

/* fault.disarm(): stop; how many calls there were of the kind, negative where one of them failed. */
PG_FUNCTION_INFO_V1(fault_disarm);
Datum fault_disarm(PG_FUNCTION_ARGS) {
    int what = PG_GETARG_INT32(0);

    watching = false;
    PG_RETURN_INT64(watch[what].failed ? -watch[what].asked : watch[what].asked);
}

/* fault.live(): bytes that this process has taken and not given back. */
PG_FUNCTION_INFO_V1(fault_live);
Datum fault_live(PG_FUNCTION_ARGS) { PG_RETURN_INT64(live_bytes); }
