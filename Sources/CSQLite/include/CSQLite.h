// What Swift cannot call of SQLite: functions with a variable number of arguments.
#pragma once
#include <sqlite3.h>

/// Makes a connection distrust its file: no writing to internal tables, no functions of the schema's own.
/// Returns SQLITE_OK or the first error.
int vp_sqlite_defend(sqlite3 *connection);
