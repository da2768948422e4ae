# pg_crm is built by PGXS. SLICES drives the objects, the order of the SQL parts and the regression tests.
SLICES = calendar history rfm cohort repeat lifetime tier shop segment

# These start from nothing: they install what they need before PGXS can be asked anything.
STARTERS = demo demo-stop check check-asan check-valgrind check-majors fuzz bench
ifneq ($(filter $(STARTERS),$(MAKECMDGOALS)),)

.PHONY: $(STARTERS)
demo:
	demo/demo
demo-stop:
	demo/stop
check:
	test/check
check-asan:
	test/check sanitizers
check-valgrind:
	test/check valgrind
check-majors:
	test/majors
fuzz:
	test/fuzz/fuzz
bench:
	test/bench/bench

else

EXTENSION = pg_crm
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" pg_crm.control)

MODULE_big = $(EXTENSION)
OBJS = $(patsubst %.cpp,%.o,$(sort $(wildcard $(patsubst %,src/%/*.cpp,bridge core $(SLICES)))))
SQL_PARTS = $(foreach part,bridge $(SLICES),$(sort $(wildcard src/$(part)/*.sql)))
DATA_built = $(EXTENSION)--$(EXTVERSION).sql
DATA = $(wildcard src/upgrade/*.sql)
REGRESS = $(foreach slice,$(SLICES),$(patsubst sql/%.sql,%,$(sort $(wildcard sql/$(slice)*.sql))))
REGRESS_OPTS = --load-extension=$(EXTENSION)
EXTRA_CLEAN = $(OBJS:.o=.d) $(EXTENSION)--*.sql build

# PGXS links with the C compiler and knows nothing of C++ or of headers, so both are told here.
override with_llvm = no
PG_CPPFLAGS = -DCRM_VERSION='"$(EXTVERSION)"'
PG_CXXFLAGS = -std=c++20 -O2 -Wall -Wextra -MMD -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server)
ifdef WERROR
PG_CXXFLAGS += -Werror
endif
SHLIB_LINK = -lstdc++ -lm -lroaring -Wl,--version-script=src/bridge/exports.map
# For a server that has these sanitizers loaded: see test/check.
ifdef SANITIZE
PG_CXXFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-wrapv -fno-omit-frame-pointer
SHLIB_LINK += -fsanitize=$(SANITIZE)
endif

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(DATA_built): $(SQL_PARTS) pg_crm.control
	cat $(SQL_PARTS) > $@

$(shlib): src/bridge/exports.map

.PHONY: man dist
man: build/pg_crm.7
build/pg_crm.7: docs/reference.md tools/manual
	mkdir -p build
	tools/manual > $@
dist: $(DATA_built)
	tools/bundle
-include $(OBJS:.o=.d)
# A header that is gone: what included it is compiled again, and no longer does.
src/%.hpp: ;

endif
