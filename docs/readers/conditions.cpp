// Prints the payload that is valid for a run: g++ -std=c++17 conditions.cpp -lsqlite3 -o conditions && ./conditions CONDITIONS NAME EXPERIMENT RUN
#include <fstream>
#include <iostream>
#include <iterator>
#include <sqlite3.h>
int main(int, char** argv) {
  std::ifstream in(std::string(argv[1]) + "/index.json");
  const std::string index((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  sqlite3* json; // SQLite reads the JSON: nothing is stored
  sqlite3_stmt* query;
  sqlite3_open(":memory:", &json);
  sqlite3_prepare_v2(json, "SELECT value->>'file' FROM json_each(?1, '$.payloads.\"' || ?2 || '\"') WHERE (?3, ?4) >= (value->>'$.iov[0]', value->>'$.iov[1]') "
    "AND (value->>'$.iov[2]' = -1 OR (?3, ?4) <= (value->>'$.iov[2]', iif(value->>'$.iov[3]' = -1, 4294967295, value->>'$.iov[3]')))", -1, &query, nullptr);
  for (int n = 1; n <= 2; ++n) sqlite3_bind_text(query, n, n == 1 ? index.c_str() : argv[2], -1, SQLITE_STATIC);
  for (int n = 3; n <= 4; ++n) sqlite3_bind_int64(query, n, std::stoll(argv[n]));
  if (sqlite3_step(query) != SQLITE_ROW) { std::cerr << "no " << argv[2] << " is valid for this run\n"; return 1; }
  std::cout << std::ifstream(std::string(argv[1]) + "/" + reinterpret_cast<const char*>(sqlite3_column_text(query, 0))).rdbuf() << "\n";
}
