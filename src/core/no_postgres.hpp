// Included last by every PostgreSQL-free file: the compile fails when a server header has leaked in.
#ifdef POSTGRES_H
#error "this file must not see a PostgreSQL header"
#endif
