// SQLite functions that Swift cannot call, since they have a variable number of arguments.
#pragma once
#include <sqlite3.h>

/// Makes a connection distrust its file: no writes to internal tables, no functions in the schema. Returns SQLITE_OK or
/// the first error.
int vp_sqlite_defend(sqlite3 *connection);
