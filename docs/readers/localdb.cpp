// Prints the payload that is valid for a run: g++ -std=c++17 localdb.cpp -lsqlite3 -o localdb && ./localdb DIRECTORY NAME EXPERIMENT RUN
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sqlite3.h>
int main(int, char** argv) {
  const std::string directory = argv[1], name = argv[2], file = "file:" + directory + "/conditions.sqlite?immutable=1";
  sqlite3* database;
  sqlite3_stmt* query;
  sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr);
  sqlite3_prepare_v2(database, "SELECT p.rev FROM seg s JOIN name n USING(name_id) JOIN payload p USING(payload_id) "
    "WHERE n.name = ?1 AND s.lo <= ?2 AND s.hi >= ?2", -1, &query, nullptr);
  sqlite3_bind_text(query, 1, name.c_str(), -1, SQLITE_STATIC);
  sqlite3_bind_int64(query, 2, std::stoll(argv[3]) * 4294967296 + std::stoll(argv[4]));
  if (sqlite3_step(query) != SQLITE_ROW) { std::cerr << "no " << name << " is valid for this run\n"; return 1; }
  const std::string stem = name + "_rev_" + reinterpret_cast<const char*>(sqlite3_column_text(query, 0));
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.path().stem() == stem) std::cout << std::ifstream(entry.path()).rdbuf() << "\n";
}
