// Tells the thread sanitizer what the contended path of Swift's `Mutex` does.
//
// On Linux `Mutex` takes and leaves an uncontended lock by an atomic operation that is compiled into its user, where the sanitizer sees it. The
// contended path is in libswiftSynchronization, which is not instrumented, and the kernel hands the lock over by a futex: the sanitizer sees
// neither, and reports a race for every lock that was waited for. This library stands before those two functions and adds the missing words;
// it hides nothing, and knows nothing of our code.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

#define swift __attribute__((swiftcall))
#define context __attribute__((swift_context))

static const char lock_name[] = "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF";
static const char unlock_name[] = "$s15Synchronization12_MutexHandleV11_unlockSlowyyF";

typedef swift void (*lock_function)(uint32_t thread, context void *handle);
typedef swift void (*unlock_function)(context void *handle);
typedef void (*annotation)(void *address);

swift void lock_slow(uint32_t thread, context void *handle) __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
swift void unlock_slow(context void *handle) __asm__("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");

static lock_function real_lock;
static unlock_function real_unlock;
static annotation acquire, release;

__attribute__((constructor)) static void find(void) {
    real_lock = (lock_function)dlsym(RTLD_NEXT, lock_name);
    real_unlock = (unlock_function)dlsym(RTLD_NEXT, unlock_name);
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
