# Every target works in a fresh clone; `make check` needs neither root nor a network once the
# environment is installed, `make test` installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
HIGHEST := .ci/constraints-highest.txt
COMPILED := .venv-compiled
ROLLOUT := .venv-rollout
SECONDS ?= 10
CHURN_SECONDS ?= 600
SOAK_SECONDS ?= 1800
SEEDS ?= 1000
PYTEST := $(BIN)/python -m pytest -p no:cacheprovider -q
# On all processors: for tests that share nothing, neither ports nor namespaces nor daemons.
SPREAD := -n auto --dist worksteal
# Two files at a time: daemons and timers, of which most of the time is waiting.
TWO_FILES := -n 2 --dist loadfile
# Whose coverage is measured takes twice as long: of the properties those of the speaker alone.
SPEAKER_TESTS := tests/unit/bgp tests/conformance \
	$(shell grep -lE 'felixbgp\.bgp\.(policy|rib|session|wire)' tests/property/*.py)
OTHER_PROPERTIES := $(filter-out $(SPEAKER_TESTS),$(wildcard tests/property/test_*.py))
# One counts instructions of Python, of which compiled code has none (bench/guard.py counts those of the processor);
# one makes values by annotations, of which compiled classes keep half.
INTERPRETED_TESTS := tests/unit/sim/test_scale.py tests/property/test_journal.py
CORE_TESTS := $(SPEAKER_TESTS) $(filter-out $(INTERPRETED_TESTS),$(OTHER_PROPERTIES)) tests/unit/fib tests/unit/agent \
	tests/unit/plan tests/unit/sim tests/unit/runtime/test_core.py
DEBIAN := etcd-server etcd-client bird2 frr gobgpd exabgp openbgpd prometheus tshark iproute2 iputils-ping openssl valgrind gcc libc6-dev debootstrap systemd-container openssh-client curl
PACKAGING := debhelper debootstrap gcc libc6-dev lintian podman python3-dev python3-venv runc

.PHONY: demo docs check format test test-root test-docs test-rollout test-interop interop test-pins test-compiled test-packages wheels deb container guard guard-update guard-update-all debian bench bench-paths soak bench-routes bench-scale bench-flows losses churn simulate fuzz proto clean help

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.installed-demo ## a cluster on this machine: nodes, a router, real routes, pings (root)
	@$(BIN)/felixbgp lab demo

docs: $(VENV)/.installed-docs ## the site of docs/, in build/site; a link that leads nowhere is an error
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean

check: $(VENV)/.installed ## format, lint, types, import rules, unit and property tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) $(SPREAD) -m 'not long' $(SPEAKER_TESTS) --cov=felixbgp.bgp --cov-branch --cov-report=term:skip-covered --cov-fail-under=99
	$(PYTEST) $(SPREAD) -m 'not long and not lab' tests/unit tests/tidy tests/docs $(OTHER_PROPERTIES) --ignore tests/unit/bgp

format: $(VENV)/.installed ## bring the tree into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: debian check test-compiled guard docs test-root test-docs test-interop test-pins ## everything that fits into twenty minutes, with real etcd, kernel, routers and decoder

test-compiled: $(COMPILED)/.installed ## the core's tests once more and its long ones, against the package as its wheel installs it
	$(COMPILED)/bin/felixbgp version --client | grep 'Core: *compiled'
	PYTHONSAFEPATH=1 $(COMPILED)/bin/python -m pytest -p no:cacheprovider -q $(SPREAD) $(CORE_TESTS) $(addprefix --ignore=,$(INTERPRETED_TESTS))

wheels: ## a wheel for each Python we support that is here, each tried out
	.ci/wheels

deb: ## a Debian package, for the release of Debian that this machine has
	@.ci/debian $(PACKAGING)
	.ci/deb

container: ## a container image, by podman
	@.ci/debian $(PACKAGING)
	.ci/container

test-packages: $(VENV)/.installed debian ## a Debian package and a container image, built and tried out (root)
	@.ci/debian $(PACKAGING)
	$(PYTEST) tests/packages

test-root: $(VENV)/.installed debian ## the tests that need root, real daemons and namespaces
	$(PYTEST) $(TWO_FILES) tests/integration tests/lab

test-docs: $(VENV)/.installed debian ## every command of README.md and docs/, typed in labs of its own (root)
	$(PYTEST) -n 2 --dist load tests/docs

test-rollout: $(VENV)/.installed $(ROLLOUT)/.installed debian ## three machines, rolled out by Ansible over ssh, from nothing to their removal (root)
	$(PYTEST) -x tests/rollout

test-interop: $(VENV)/.installed debian ## the interop matrix: routing daemons of others, feature by feature (root)
	$(PYTEST) tests/interop

interop: $(VENV)/.installed debian ## the same, and write docs/interop.md
	$(PYTEST) tests/interop/test_matrix.py --write-interop-page

test-pins: debian ## the lowest supported dependencies; the environment of all other targets has the highest
	.ci/pins lowest

debian: ## Debian packages of the tests, when root and apt-get are there
	@.ci/debian $(DEBIAN)

guard: $(COMPILED)/.installed debian ## instructions and memory per route, counted, against bench/guard.json
	@PYTHONSAFEPATH=1 $(COMPILED)/bin/python -m bench.guard

guard-update: $(COMPILED)/.installed debian ## write bench/guard.json anew: after an improvement, or with a reason
	@PYTHONSAFEPATH=1 $(COMPILED)/bin/python -m bench.guard --update

guard-update-all: guard-update ## the same for each other Python that we support and this machine has
	@for version in 3.12 3.13; do \
		python=$$(.ci/interpreter $$version); \
		[ -z "$$python" ] || $(MAKE) guard-update PYTHON=$$python COMPILED=.venv-compiled-$$version || exit; \
	done

bench: $(VENV)/.installed-bench $(COMPILED)/.installed debian ## loads for felixbgp, BIRD, FRR, GoBGP and ExaBGP, side by side; writes docs/performance.md (root)
	$(BIN)/python -m bench load --publish

bench-paths: $(VENV)/.installed ## CPU time of some hot paths, beside a calibration loop
	$(BIN)/python -m bench paths

soak: $(VENV)/.installed $(COMPILED)/.installed debian ## half an hour at 20,000 route changes a second; SOAK_SECONDS=1800 (root)
	$(BIN)/python -m bench soak --seconds $(SOAK_SECONDS)

bench-routes: $(VENV)/.installed debian ## 200,000 routes into the kernel and out again, beside BIRD in the same run (root)
	$(BIN)/python -m bench routes

bench-scale: $(VENV)/.installed debian ## what the size of a cluster costs one agent, and etcd, beside BIRD (root)
	$(BIN)/python -m bench scale

losses: $(VENV)/.installed debian ## what changes of a cluster lose of 1 kHz between workloads, beside BIRD; writes docs/losses.md (root)
	$(BIN)/python -m bench losses --publish --logs build/losses

bench-flows: $(VENV)/.installed ## how many flows move when a next hop leaves or comes, by form of ECMP (root)
	$(BIN)/python -m bench flows

churn: $(VENV)/.installed debian ## ten minutes of changes, flapping links and other daemons; CHURN_SECONDS=600 (root)
	$(BIN)/python -m bench churn --seconds $(CHURN_SECONDS)

simulate: $(COMPILED)/.installed ## simulated clusters in which things go wrong, one for each seed; SEEDS=1000
	PYTHONSAFEPATH=1 $(COMPILED)/bin/felixbgp simulate --seeds $(SEEDS)

fuzz: $(VENV)/.installed-fuzz ## look for octets that break a decoder, a session or a selector; SECONDS=10 per target
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

proto: ## regenerate felixbgp/_pb from protos/
	$(PYTHON) protos/generate.py

clean: ## remove what the other targets made
	rm -rf $(VENV) $(ROLLOUT) .venv-compiled* .venv-lowest .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf .fuzz build dist *.egg-info .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) 'pip>=25.1'

$(VENV)/.installed: pyproject.toml $(HIGHEST) | $(BIN)/python
	$(PIP) -c $(HIGHEST) -e .[lab] --group dev
	@touch $@

# The package as it is installed from a wheel, its core compiled. Tests and bench are found behind it in the path,
# so that `felixbgp` of the tree is never imported: PYTHONSAFEPATH keeps the current directory out.
$(COMPILED)/.dependencies: pyproject.toml $(HIGHEST)
	$(PYTHON) -m venv $(COMPILED)
	$(COMPILED)/bin/python -m pip install -q --disable-pip-version-check 'pip>=25.1' 'setuptools>=77'
	FELIXBGP_COMPILE=off $(COMPILED)/bin/python -m pip install -q --disable-pip-version-check -c $(HIGHEST) .[lab] --group dev
	pwd >$$($(COMPILED)/bin/python -c 'import site; print(site.getsitepackages()[0])')/tree.pth
	@touch $@

$(COMPILED)/.installed: $(COMPILED)/.dependencies setup.py $(shell find felixbgp -name '*.py')
	FELIXBGP_COMPILE=required $(COMPILED)/bin/python -m pip install -q --disable-pip-version-check \
		--no-build-isolation --no-deps --force-reinstall .
	@touch $@

# Ansible, its linter, and what makes wheels: of the Python that Debian 12, the system of the machines, has.
$(ROLLOUT)/.installed: pyproject.toml
	@python=$$(.ci/interpreter 3.11); [ -n "$$python" ] || { echo "no Python 3.11 here: no roll-out will be tried" >&2; exit 0; }; \
		"$$python" -m venv $(ROLLOUT) && $(ROLLOUT)/bin/python -m pip install -q --disable-pip-version-check 'pip>=25.1' && \
		$(ROLLOUT)/bin/python -m pip install -q --disable-pip-version-check --group rollout && touch $@

$(VENV)/.installed-demo: pyproject.toml $(HIGHEST) | $(BIN)/python
	$(PIP) -c $(HIGHEST) -e .[lab]
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(PIP) -c $(HIGHEST) --group bench
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) -c $(HIGHEST) --group docs
	@touch $@

$(VENV)/.installed-fuzz: $(VENV)/.installed
	$(PIP) -c $(HIGHEST) --group fuzz
	@touch $@
