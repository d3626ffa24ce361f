// hiredis, the client library of Redis (package libhiredis-dev).
#pragma once
#include <hiredis.h>
#include <async.h>
