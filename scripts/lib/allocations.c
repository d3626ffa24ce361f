// Counts what a program asks of the allocator: malloc, calloc, realloc and the aligned ones, by any library, for scripts/lib/weigh.
//
// Preloaded before the C library, whose own functions do the work; at the end "allocations NUMBER held BYTES" is written to standard error: how
// often it was asked, and the most that was held at one time.
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *held);

static atomic_ulong allocations, now, most;

static void release(size_t size) { atomic_fetch_sub_explicit(&now, size, memory_order_relaxed); }

static void *count(void *got) {
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    size_t size = malloc_usable_size(got);
    unsigned long held = atomic_fetch_add_explicit(&now, size, memory_order_relaxed) + size;
    unsigned long before = atomic_load_explicit(&most, memory_order_relaxed);
    while (held > before && !atomic_compare_exchange_weak(&most, &before, held)) {}
    return got;
}

void *malloc(size_t size) { return count(__libc_malloc(size)); }

void *calloc(size_t number, size_t size) { return count(__libc_calloc(number, size)); }

void *realloc(void *old, size_t size) {
    size_t before = malloc_usable_size(old);
    void *grown = __libc_realloc(old, size);
    if (grown || size == 0) release(before);
    return count(grown);
}

void *memalign(size_t alignment, size_t size) { return count(__libc_memalign(alignment, size)); }

void free(void *held) {
    release(malloc_usable_size(held));
    __libc_free(held);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
    *result = memalign(alignment, size);
    return *result ? 0 : ENOMEM;
}

__attribute__((destructor)) static void tell(void) {
    char text[96];
    int length = snprintf(text, sizeof text, "allocations %lu held %lu\n", atomic_load(&allocations), atomic_load(&most));
    if (write(STDERR_FILENO, text, (size_t)length) != length) _exit(70);
}
