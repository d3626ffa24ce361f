// Counts what a program asks of the allocator: malloc, calloc, realloc and the aligned ones, by any library, for scripts/lib/weigh.
//
// Preloaded before the C library, whose own functions do the work; at the end "allocations NUMBER" is written to standard error.
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong allocations;

static void count(void) { atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed); }

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    count();
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
    *result = memalign(alignment, size);
    return *result ? 0 : ENOMEM;
}

__attribute__((destructor)) static void tell(void) {
    char text[64];
    int length = snprintf(text, sizeof text, "allocations %lu\n", atomic_load(&allocations));
    if (write(STDERR_FILENO, text, (size_t)length) != length) _exit(70);
}
