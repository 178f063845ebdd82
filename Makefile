# Gatehouse: everything a developer runs. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

export PKG_CONFIG_PATH := $(CURDIR)/.build-deps/pg_query/lib/pkgconfig$(if $(PKG_CONFIG_PATH),:$(PKG_CONFIG_PATH))
export PATH := $(CURDIR)/.build-venv/bin:$(PATH)

# Arrows between our own targets are an error where an import is not declared in Package.swift;
# warnings are errors by Package.swift itself, for our targets and not for the dependencies.
CHECKED := --explicit-target-dependency-import-check error
# Few tests at once: what waits for an answer must not wait behind hundreds of others for one of two cores.
SWIFT_TEST := SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4 swift test --skip-build --disable-xctest $(CHECKED)

.PHONY: help setup build release test soak bench lint format fuzz demo clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## install what building and testing need (Debian 12; idempotent)
	@scripts/setup

build: setup ## debug build of the program and its tests
	swift build --build-tests $(CHECKED)

release: setup ## release build of the program: .build/release/gatehouse
	swift build -c release --static-swift-stdlib --product gatehouse $(CHECKED)

test: build ## every test: the parts, the tidy rules, then real servers and clients
	$(SWIFT_TEST) --skip IntegrationTests
	$(SWIFT_TEST) --filter IntegrationTests

soak: build ## the long suites at their full length (about an hour)
	GATEHOUSE_SOAK=1 $(SWIFT_TEST)

fuzz: setup ## fuzz the parsers; SECONDS_EACH=20 by default
	@scripts/fuzz $(or $(SECONDS_EACH),20)

bench: release ## measure against the peers; ONLY=prefix runs some
	@scripts/bench $(ONLY)

demo: release ## a private database, an issuer, the gateway and an agent's session; Ctrl-C ends all
	@scripts/demo

lint: setup ## formatting, scripts, and what the compiler does not check
	swift format lint --strict --parallel --recursive Sources Tests
	@for script in scripts/* .ci/run; do if head -1 "$$script" | grep -q bash; then bash -n "$$script" || exit 1; fi; done
	@.build-venv/bin/python -m py_compile $$(grep -lE '^#!.*python' scripts/*) Tests/Support/*.py Benchmarks/*.py

format: ## put the sources in the project's format
	swift format --in-place --parallel --recursive Sources Tests

clean: ## remove what was built; .build-deps and .build-venv stay
	rm -rf .build .build-fuzz
