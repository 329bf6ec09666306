# nullspf: see README.md. `make help` lists the targets.

GO      ?= go
CONFIG  ?= nullspf.yaml
OUT     ?=
FUZZTIME ?= 20s
TORTURE ?= 10m
TORTURE_SEED ?=
SCENARIO ?=
DIST    ?= dist
DESTDIR ?=
PREFIX  ?= /usr/local
SYSCONFDIR ?= /etc
# What is built, vetted and tested is compiled once: static, without the paths of
# this machine, without the tables of debuggers.
export CGO_ENABLED := 0
export GOFLAGS := $(sort $(shell $(GO) env GOFLAGS 2>/dev/null) -trimpath -ldflags=-w)
# The commit becomes part of the version where git answers.
BUILDFLAGS := -ldflags='-s -w' -buildvcs=$(shell git rev-parse -q --verify HEAD >/dev/null 2>&1 && echo auto || echo false)
SOURCES = $(shell git ls-files '*.go')

.DEFAULT_GOAL := help
.PHONY: help toolchain build zones check demo demo-web screenshots test root unit race lint fmt fuzz torture matrix senders bench bench-apply bench-dns bench-log bench-smtp bench-web bench-xdp bench-xfr install deb dist image man peers peers-packages peers-programs clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  %-10s %s\n", $$1, $$2}'

toolchain:
	@GO='$(GO)' scripts/check-go

build: toolchain ## compile the programs into bin/
	$(GO) build $(BUILDFLAGS) -o bin/ ./cmd/...

zones: build ## write zone files and configurations: make zones CONFIG=nullspf.yaml OUT=build
	bin/nullspf zones -c '$(CONFIG)' $(if $(OUT),-o '$(OUT)')

check: build ## check configuration, lists and output: make check CONFIG=nullspf.yaml
	bin/nullspf check -c '$(CONFIG)' $(if $(OUT),-o '$(OUT)')

demo: build ## serve the example domains with BIND and nullspfd, record forged mail
	scripts/install-peers bind9 bind9-utils bind9-dnsutils unbound python3-spf
	$(GO) run ./internal/demo

screenshots: build ## the same, and the screenshots of the documents
	scripts/install-peers bind9 bind9-utils bind9-dnsutils unbound python3-spf chromium
	$(GO) run ./internal/demo -picture docs/images/page.png

demo-web: build ## the same, and keep the pages until Ctrl-C
	scripts/install-peers bind9 bind9-utils bind9-dnsutils unbound python3-spf
	$(GO) run ./internal/demo -keep

# Packages wait for the network, lint and programs for the processor.
test: toolchain root ## install what the tests need, lint, and run all tests
	$(MAKE) --no-print-directory --output-sync=target -j3 peers-packages peers-programs lint
	$(MAKE) --no-print-directory unit

root:
	@test "$$(id -u)" -eq 0 || { echo 'this needs root: tests mount file systems and start mail servers. Without those: go test ./...'; exit 1; }

# The longest packages go first, so that none is left alone at the end. The load
# tests run by themselves: they measure. lint has vetted all of them.
unit:
	NULLSPF_REQUIRE_PEERS=1 $(GO) test -vet=off -timeout 20m $$($(GO) list ./named ./packaging ./cmd/nullspf ./internal/web ./... | grep -v /loadtest)
	NULLSPF_REQUIRE_PEERS=1 $(GO) test -vet=off -timeout 20m ./internal/loadtest

race: export CGO_ENABLED := 1
race: peers ## run the tests with the race detector
	NULLSPF_REQUIRE_PEERS=1 $(GO) test -race -timeout 40m ./...

peers:
	$(MAKE) --no-print-directory -j2 peers-packages peers-programs

peers-packages:
	scripts/install-peers
	packaging/debian-root
	internal/mtas/unpack

PEERS = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nullspf/bin
peers-programs:
	$(GO) build -modfile=packaging/tools.mod -o dist/tools/ tool
	$(GO) build -C internal/peers/coredns -o '$(PEERS)/coredns'
	$(GO) build -C internal/forgerylog/testdata/readers/arrow -gcflags='github.com/apache/arrow-go/v18/...=-N -l' -o '$(PEERS)/readarrow'

lint: ## vet, staticcheck, formatting, tidiness
	@test -z "$$(gofmt -l $(SOURCES))" || { gofmt -l $(SOURCES); echo 'not formatted: run make fmt'; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff

fmt: ## format the source
	gofmt -w $(SOURCES)

fuzz: ## fuzz each target for FUZZTIME, print a table, fail on findings
	FUZZTIME=$(FUZZTIME) scripts/fuzz

torture: toolchain root peers ## hostile clients, primaries, disks, clocks: make torture TORTURE=10m SCENARIO= TORTURE_SEED=
	NULLSPF_REQUIRE_PEERS=1 $(GO) run ./internal/torture/run -time '$(TORTURE)' -scenario '$(SCENARIO)' -seed '$(TORTURE_SEED)'

matrix: toolchain ## have SPF implementations check forged mail, write the tables of docs/tracking.md (root, 1 GB)
	scripts/install-peers mmdebstrap debian-archive-keyring
	internal/bench/matrix/setup
	$(GO) run ./internal/bench/matrix -write docs/tracking.md

senders: toolchain ## have mail servers send to nolisting, write the table of docs/mail.md (root, five minutes)
	scripts/install-peers postfix unbound nftables iproute2
	internal/mtas/unpack
	$(GO) run ./internal/bench/senders -write docs/mail.md

bench: build ## measure the generator at a million domains (takes minutes and 16 GB of disk)
	$(GO) run ./internal/bench/zones -nullspf bin/nullspf

bench-apply: build ## measure apply with BIND, NSD and Knot DNS at 950 and 100,000 domains
	scripts/install-peers bind9 nsd knot
	$(GO) run ./internal/bench/apply -nullspf bin/nullspf -n 950,100000

bench-dns: build ## measure nullspfd beside an echo, NSD, Knot DNS and BIND (needs dnsperf, two processors)
	scripts/install-peers bind9 nsd knot dnsperf
	$(GO) run ./internal/bench/dns

# A directory with a journal is used again.
LOG     ?= dist/bench-log
EVENTS  ?= 20000000
bench-log: ## ask a forgery log and DuckDB the same questions: make bench-log EVENTS=20000000
	test -e '$(LOG)/MANIFEST' || $(GO) run ./internal/bench/log -generate '$(LOG)' -events $(EVENTS)
	$(GO) run ./internal/bench/log '$(LOG)'
	$(GO) run ./internal/bench/log -seal

bench-web: build ## measure nullspf web with that log, in Chromium too, and nullspfd beside it
	scripts/install-peers chromium nodejs npm dnsperf
	npm ci --silent --no-fund --no-audit --ignore-scripts --prefix internal/web/testdata/browser
	test -e '$(LOG)/MANIFEST' || $(GO) run ./internal/bench/log -generate '$(LOG)' -events $(EVENTS)
	$(GO) run ./internal/bench/web -only pages,browser,viewers,leaving,dns '$(LOG)'

bench-xdp: ## measure nullspfd beside the kernel and over sockets, and Knot DNS with both (root, two processors)
	scripts/install-peers knot knot-dnsutils iproute2
	$(GO) run ./internal/bench/xdp

bench-xfr: ## measure nullspfd as secondary of 100,000 zones beside NSD
	scripts/install-peers nsd knot
	$(GO) run ./internal/bench/xfr

bench-smtp: ## measure the SMTP listener beside smtpd of Postfix
	scripts/install-peers postfix iproute2
	$(GO) run ./internal/bench/smtp

install: build ## install below PREFIX and /etc: make install DESTDIR= PREFIX=/usr/local
	PROGRAMS=bin DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' packaging/install

# What is made for others bears the version of the programs and the time of the commit.
ARCH ?= $(shell $(GO) env GOARCH)
deb dist install man: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
version = $(lastword $(shell bin/nullspf version))

deb: build ## build dist/nullspf_VERSION_ARCH.deb: make deb ARCH=arm64
	GOARCH=$(ARCH) $(GO) build $(BUILDFLAGS) -o '$(DIST)/linux-$(ARCH)/' ./cmd/...
	GO='$(GO)' DIST='$(DIST)' PROGRAMS='$(DIST)/linux-$(ARCH)' ARCH=$(ARCH) VERSION='$(or $(DEBVERSION),$(version))' packaging/deb

dist: build ## build the files of a release: static programs, checksums, bills of materials
	GO='$(GO)' DIST='$(DIST)' BUILDFLAGS="$(BUILDFLAGS)" VERSION='$(version)' packaging/dist

BUILDER ?= buildah
image: toolchain ## build a container image of nullspfd: make image BUILDER=podman
	GOARCH=$(ARCH) $(GO) build $(BUILDFLAGS) -o '$(DIST)/linux-$(ARCH)/' ./cmd/nullspfd
	$(BUILDER) build -t nullspfd -f packaging/Containerfile '$(DIST)/linux-$(ARCH)'

man: build ## write the man pages into dist/man
	bin/nullspf man dist/man

clean: ## remove what was built
	rm -rf bin build dist demo
