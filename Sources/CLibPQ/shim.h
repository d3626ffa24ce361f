// libpq, the client library of PostgreSQL (package libpq-dev).
#pragma once
#include <libpq-fe.h>
