# SPDX-License-Identifier: MIT
# The everyday commands. Meson does the work: see meson.build.
PREFIX ?= /usr/local
BUILD ?= build

default: build

setup:
	@tools/setup
	@tools/setup-sources

$(BUILD)/build.ninja: | setup
	meson setup --prefix=$(PREFIX) $(BUILD)

build: setup $(BUILD)/build.ninja
	ninja -C $(BUILD)

demo: build
	@tools/demo $(BUILD)

test: demo
	@tools/run-tests $(BUILD)

test-all: demo
	@tools/run-tests $(BUILD) --slow

sanitize: setup
	tools/sanitize

bench: build
	meson test -C $(BUILD) --benchmark --verbose

install: build
	meson configure $(BUILD) --prefix=$(PREFIX)
	meson install -C $(BUILD) $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

clean:
	rm -rf $(BUILD) build-asan build-tsan

.PHONY: default setup build demo test test-all sanitize bench install clean
