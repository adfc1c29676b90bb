# SPDX-License-Identifier: Apache-2.0
#
# The front door over Meson: `make help` says what there is.

BUILD   ?= build
prefix  ?= /usr/local
DESTDIR ?=

HOSTS   ?= localhost

MESON_FLAGS ?=
NINJA       ?= ninja

# What a user looks for, where Meson puts it; `make` leaves links to them in $(BUILD).
PROGRAMS = src/cli/hoist src/agent/hoistd src/launcher/hoist-launcher src/init/hoist-init \
           src/worker/libhoist.so src/worker/libhoist.a tests/probe/probe

.PHONY: all help setup build-test build-tsan build-fuzz demo test soak bench lint certs install clean
.DEFAULT_GOAL := all

all: setup $(BUILD)/build.ninja
	@$(NINJA) -C $(BUILD)
	@$(call link_programs,$(BUILD))
	@echo "built: $(BUILD)/hoist (client), $(BUILD)/hoist-launcher (agent); 'make demo' shows them at work"

help:
	@echo 'make              build everything into $(BUILD)/'
	@echo 'make demo         start an agent and show the main job, end to end'
	@echo 'make test         all tests; ends with "N passed, N failed"'
	@echo 'make soak         the long runs; results go to docs/soak.md'
	@echo 'make bench        hoist beside what the machine can do, and beside others (BENCH="--rounds 3 stream")'
	@echo 'make lint         formatting, analysers, layers, headers, spelling'
	@echo 'make certs DIR=D  authorities with a server (HOSTS="name…") and an admin certificate in D'
	@echo 'make install      into $$DESTDIR$$prefix (prefix is $(prefix))'
	@echo 'make clean        remove what was built'
	@echo 'make build-test   the build with AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make build-tsan   the build with ThreadSanitizer'
	@echo 'make build-fuzz   the libFuzzer harnesses (clang)'

setup:
	@tools/setup build

$(BUILD)/build.ninja:
	meson setup --prefix $(prefix) $(MESON_FLAGS) $(BUILD)

build-test/build.ninja:
	meson setup -Db_sanitize=address,undefined -Doptimization=1 build-test

build-tsan/build.ninja:
	meson setup -Db_sanitize=thread -Doptimization=1 -Dtests=false build-tsan

build-fuzz/build.ninja:
	CC=clang meson setup -Dfuzz=true -Dtests=false -Db_sanitize=address,undefined build-fuzz

build-test build-tsan build-fuzz: %: setup %/build.ninja
	@$(NINJA) -C $@
	@$(call link_programs,$@)

demo: all
	@HOIST_BUILD=$(BUILD) tools/demo

test: all
	@tools/setup test vm
	@HOIST_BUILD=$(BUILD) tools/run-tests

soak: all
	@tools/setup test vm
	@HOIST_BUILD=$(BUILD) tools/soak

bench: all
	@tools/setup bench
	@HOIST_BUILD=$(BUILD) tools/bench $(BENCH)

lint: all
	@tools/setup lint
	@HOIST_BUILD=$(BUILD) tools/lint

certs:
	@test -n "$(DIR)" || { echo 'make certs needs DIR=…: where the certificates shall be' >&2; exit 2; }
	@tools/setup build
	@tools/hoist-pki init "$(DIR)"
	@tools/hoist-pki issue "$(DIR)" server --server $(HOSTS:%=--host %) --ip 127.0.0.1 --ip ::1
	@tools/hoist-pki issue "$(DIR)" admin --client --role admin
	@tools/hoist-pki verify "$(DIR)"

# A tree that was set up for another prefix is set up again.
install: setup $(BUILD)/build.ninja
	@meson configure $(BUILD) --prefix $(prefix)
	@$(NINJA) -C $(BUILD)
	@DESTDIR="$(DESTDIR)" meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) build-test build-tsan build-fuzz

define link_programs
for program in $(PROGRAMS); do \
	if [ -e $(1)/$$program ]; then ln -sfn $$program $(1)/$${program##*/}; fi; \
done; \
ln -sfn "$(CURDIR)/tools/hoist-pki" $(1)/hoist-pki
endef
