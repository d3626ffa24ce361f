// Tells the thread sanitizer what two parts of Swift's runtime do, which are not instrumented: it would report races that are none.
//
// The contended path of `Mutex`. On Linux `Mutex` takes and leaves an uncontended lock by an atomic operation that is compiled into its user, where the sanitizer sees it. The
// contended path is in libswiftSynchronization, which is not instrumented, and the kernel hands the lock over by a futex: the sanitizer sees
// neither, and reports a race for every lock that was waited for.
//
// A continuation that is resumed before its task has lain down. The runtime says that resuming comes before what follows in the task, and that the
// task has heard it where it is woken; where it need not lie down at all it goes on without a word.
//
// This library stands before those functions and adds the missing words; it hides nothing, and knows nothing of our code.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

#define swift __attribute__((swiftcall))
#define context __attribute__((swift_context))
#define swift_async __attribute__((swiftasynccall))

static const char lock_name[] = "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF";
static const char unlock_name[] = "$s15Synchronization12_MutexHandleV11_unlockSlowyyF";

typedef swift void (*lock_function)(uint32_t thread, context void *handle);
typedef swift void (*unlock_function)(context void *handle);
typedef void (*annotation)(void *address);
typedef swift_async void (*await_function)(void *continuation);
typedef swift void *(*current_function)(void);

swift void lock_slow(uint32_t thread, context void *handle) __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
swift void unlock_slow(context void *handle) __asm__("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");

static lock_function real_lock;
static unlock_function real_unlock;
static await_function real_await;
static current_function current_task;
static annotation acquire, release;

__attribute__((constructor)) static void find(void) {
    real_lock = (lock_function)dlsym(RTLD_NEXT, lock_name);
    real_unlock = (unlock_function)dlsym(RTLD_NEXT, unlock_name);
    real_await = (await_function)dlsym(RTLD_NEXT, "swift_continuation_await");
    current_task = (current_function)dlsym(RTLD_DEFAULT, "swift_task_getCurrent");
    acquire = (annotation)dlsym(RTLD_DEFAULT, "__tsan_acquire");
    release = (annotation)dlsym(RTLD_DEFAULT, "__tsan_release");
}

swift void lock_slow(uint32_t thread, context void *handle) {
    real_lock(thread, handle);
    if (acquire) acquire(handle);
}

swift void unlock_slow(context void *handle) {
    if (release) release(handle);
    real_unlock(handle);
}

swift_async void swift_continuation_await(void *continuation) {
    if (acquire && current_task) acquire(current_task());
    __attribute__((musttail)) return real_await(continuation);
}
