# Everything one does with the repository; CI (.ci/run) runs the same targets.
# Needed beforehand: Go, Node with npm, make, git. `make test` installs the rest.

# One way to compile everything, so that each package is compiled once: without cgo, as the program is shipped, and with no
# other flags. Only the race detector has its own, and needs a C compiler.
export CGO_ENABLED := 0
export REDOCLY_TELEMETRY := off
export REDOCLY_SUPPRESS_UPDATE_NOTICE := true

TOOL := go tool -modfile=tools/go.mod

# Packages in which goroutines share memory: there the race detector earns its tenfold time.
RACE := $(wildcard $(addprefix internal/, clock db ledger event job idempotency ratelimit rail/bank httpapi sandbox app))

# Go files, but for those that templ writes in its own form; packages of npm may bring some too, which are not ours.
GO_FILES = find . -name node_modules -prune -o -name '*.go' ! -name '*_templ.go' -print0

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | while read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

.PHONY: run
run: build ## build Kontor and start its sandbox
	./bin/kontor sandbox

.PHONY: build
build: ## build bin/kontor
	go build -o bin/kontor ./cmd/kontor

# Tests wait most of their time, for disks, timers and each other: so more of them run at a time than there are processors.
TEST := go test -vet=off -parallel 8

# The fault tests watch how soon killed programs are back, and some of those under the race detector watch rates: each
# has the machine for itself.
.PHONY: test
test: prerequisites ## install what is missing, then run every test
	$(TEST) $$(go list ./... | grep -v /test/fault$$)
	@$(MAKE) --no-print-directory test-fault
	@$(MAKE) --no-print-directory test-race

.PHONY: test-fault
test-fault: prerequisites
	$(TEST) ./test/fault

# SQLite itself came from C and is not searched for races: the detector would make it many times slower.
.PHONY: test-race
test-race: prerequisites
	$(if $(RACE),CGO_ENABLED=1 $(TEST) -short -race -gcflags=modernc.org/libc=-race=false -gcflags=modernc.org/sqlite/lib=-race=false $(RACE:%=./%/...))

# The long tests end after so many minutes; without them, when all is done (10,000 kills, 100 failovers).
fault failover: MINUTES := 0
LONG = -args -long -minutes $(MINUTES)

.PHONY: fault
fault: prerequisites ## prove crash safety for longer than the tests do: MINUTES=10, or 10,000 kills (root can also fill disks)
	go test -count=1 -timeout 0 -v ./test/fault $(LONG)

.PHONY: failover
failover: prerequisites ## kill PostgreSQL primaries and promote their standbys: MINUTES=10, or 100 times
	go test -count=1 -timeout 0 -v -run Failover ./test/fault $(LONG)

simulate: MINUTES := 240
.PHONY: simulate
simulate: prerequisites ## run random histories against a model, by default for hours: make simulate MINUTES=10
	go test -count=1 -timeout 0 -v ./test/simulation -args -minutes $(MINUTES)

.PHONY: bench
bench: build prerequisites ## measure the program on this machine (docs/benchmarks.md)
	for what in transfer exchange read webhooks idle; do ./bin/kontor bench $$what || exit 1; echo; done

.PHONY: prerequisites
prerequisites: # PostgreSQL, Chromium and a C compiler, if the machine lacks them
	@tools/prerequisites.sh

.PHONY: format
format: ## format the Go files and the pages
	@$(GO_FILES) | xargs -0r $(TOOL) gofumpt -w
	@$(TOOL) templ fmt -log-level error internal

.PHONY: lint
lint: lint-format lint-go lint-contract ## format, vet, staticcheck, contract

.PHONY: lint-format
lint-format:
	@files=$$($(GO_FILES) | xargs -0r $(TOOL) gofumpt -l) && \
	if [ -n "$$files" ]; then printf 'not formatted (run make format):\n%s\n' "$$files"; exit 1; fi
	@$(TOOL) templ fmt -fail -log-level error internal || { echo 'pages were not formatted; they are now'; exit 1; }

.PHONY: lint-go
lint-go:
	go vet ./...
	GOGC=400 GOMEMLIMIT=3GiB $(TOOL) staticcheck ./... # its collector took a third of its time

# The contract linter comes from npm, at the versions of tools/package-lock.json.
.PHONY: lint-contract
ifneq ($(wildcard tools/package.json),)
lint-contract: tools/node_modules/.package-lock.json
	tools/node_modules/.bin/redocly lint api/openapi.yaml

tools/node_modules/.package-lock.json: tools/package.json tools/package-lock.json
	npm ci --prefix tools --no-audit --no-fund
	@touch $@
else
lint-contract:
endif

.PHONY: generate
generate: ## write the generated files anew
	go generate ./...

# Tidy with -e, because a package that only the tests of modernc.org/sqlite import is not obtainable everywhere.
.PHONY: check
check: ## are the generated files and go.mod in step?
	@tools/check-generated.sh
	@echo go mod tidy -e -diff
	@go mod tidy -e -diff 2>/dev/null || { echo 'go.mod or go.sum is not in step: run go mod tidy -e'; exit 1; }
