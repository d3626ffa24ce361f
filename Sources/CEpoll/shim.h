// The readiness interface of Linux, which Swift's Glibc module leaves out.
#pragma once
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <pthread.h>

// Hidden by glibc unless _GNU_SOURCE is defined, which a module map cannot do.
int pthread_setname_np(pthread_t thread, const char *name);
