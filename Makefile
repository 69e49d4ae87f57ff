# The front door: every command installs what it needs the first time.
# Choices: PYTHON=python3.12  VENV=/other/disk/venv  HAVE_UV=no  PORT=8001  DATA=digits  PHYSNN_DATA=/folder/with/MNIST
#          for results: MINUTES=90  AGAIN=yes  STUDY=loss-terms; for test-results: SEED=1
#          for results on a Dask cluster: SCHEDULER=tcp://HOST:8786
#          for bench: RECORD=yes; for clean: PARTS=yes; for results-diff: BASE=main  HEAD=topic
#          for notebook-back: NAME=as-printed  FILE=~/Downloads/as-printed.ipynb

PYTHON ?= python3
VENV ?= .venv
LOWEST := $(VENV)-lowest
PLAIN := $(VENV)-plain
PORT ?= 8000
PY := $(VENV)/bin/python
# Asked to run, not looked up: a version manager's shim may be there and fail.
HAVE_UV := $(shell uv --version >/dev/null 2>&1 && echo yes || echo no)
CODE := physnn tests book benchmarks
PAIRS := $(wildcard $(patsubst %.md,%.ipynb,$(wildcard notebooks/*.md))) # another notebook beside them is somebody's own

# Whatever is said is one of the choices above, or a variable for programs, which have a _ in their names.
YES_OR_NO := AGAIN HAVE_UV PARTS RECORD
CHOICES := PYTHON VENV PORT DATA MINUTES STUDY SEED SCHEDULER BASE HEAD NAME FILE ALONE SHELL $(YES_OR_NO)
SAID := $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
$(foreach name,$(SAID),$(if $(findstring _,$(name))$(filter $(name),$(CHOICES)),,$(error there is no choice $(name)=$($(name)); the choices stand at the head of the Makefile)))
$(foreach name,$(YES_OR_NO),$(if $(filter-out yes no,$($(name))),$(error $(name)=$($(name)) can be $(name)=yes or $(name)=no)))
ifneq ($(words $(VENV)),1)
$(error make cannot take blanks in VENV=$(VENV): name a folder without)
endif

export JUPYTER_PREFER_ENV_PATH = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
unexport PYTHONSAFEPATH # this checkout comes first

.DEFAULT_GOAL := help
.PHONY: help book book-plain bundle epub test test-lowest test-lowest-all test-results notebooks notebook-back values scoreboard lint serve check-site check-colab results results-diff bench lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: $(VENV)/.done ## Execute the notebooks and build the book: _build/html/index.html
	$(PY) -m book.tools.build $(if $(DATA),--data $(DATA))

book-plain: book $(PLAIN)/.done ## Build the pages with the current Sphinx, without Jupyter Book: what would break on a move
	$(PY) -m book.tools.plain_sphinx --python $(PLAIN)/bin/python

bundle: book ## Pack the book for reading offline: _build/physnn-book.zip
	$(PY) -m book.tools.bundle

epub: book ## Make the book as an EPUB: _build/physnn-book.epub
	$(PY) -m book.tools.epub

test: $(VENV)/.done ## Run the tests, a file at a time on every core
	$(PY) -m pytest -q -n auto --dist loadfile --no-loadscope-reorder

test-lowest: $(LOWEST)/.done ## Run the tests of the core on the lowest torch that pyproject.toml allows (6 GB more)
	$(LOWEST)/bin/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder tests/core

# Deaf to deprecations: old packages warn of what the new ones beside them have renamed.
test-lowest-all: $(LOWEST)-all/.done ## Run the tests on the lowest versions of all that pyproject.toml names (needs uv; 6 GB more)
	$(LOWEST)-all/bin/python -m pytest -q -n auto --dist loadfile -W ignore::DeprecationWarning tests/core tests/lab

test-results: $(VENV)/.done ## Train a few replicas of every recorded study again, drawn anew (or by SEED=1), and compare
	@case "$(SEED)" in *[!0-9]*) echo "SEED=$(SEED) can be a whole number, such as SEED=1" >&2; exit 2;; esac
	$(if $(SEED),PHYSNN_SEED="$(SEED)" )$(PY) -m pytest -q -m results tests/lab/records/test_results.py

notebooks: $(VENV)/.done ## Write the .ipynb pairs from the .md sources
	$(PY) -m book.tools.pairs

values: book ## Record the book's numbers for the .ipynb pairs: notebooks/values.json (NAME=as-printed: of one chapter)
	$(PY) -m book.tools.record_values $(NAME)

notebook-back: $(VENV)/.done ## Take what was changed in an .ipynb into its .md: NAME=as-printed [FILE=~/Downloads/as-printed.ipynb]
	$(PY) -m book.tools.back $(or $(NAME),$(error name a chapter: make notebook-back NAME=as-printed)) $(if $(FILE),"$(FILE)")

scoreboard: $(VENV)/.done ## Write the README's verdicts from the claims and the recorded studies
	$(PY) -m book.tools.claims

# Each by itself too, and before a commit: .pre-commit-config.yaml names them all.
LINTS := lint-style lint-format lint-types lint-pairs lint-scoreboard lint-workflows lint-citation
.PHONY: $(LINTS)

lint: $(LINTS) ## Check style, types, notebook pairs, scoreboard, workflows and the citation file

lint-style: $(VENV)/.done
	$(PY) -m ruff check $(CODE) $(PAIRS)

lint-format: $(VENV)/.done
	$(PY) -m ruff format --check $(CODE)

lint-types: $(VENV)/.done
	$(PY) -m mypy

lint-pairs: $(VENV)/.done
	$(PY) -m book.tools.pairs --check

lint-scoreboard: $(VENV)/.done
	$(PY) -m book.tools.claims --check

lint-workflows: $(VENV)/.done
	$(VENV)/bin/zizmor --quiet --offline .github/workflows
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

lint-citation: $(VENV)/.done
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

serve: ## Serve the built book on 127.0.0.1
	@test -e _build/html/index.html || { echo "there is no book yet: run make book" >&2; exit 1; }
	@$(PY) -m book.tools.serve --port $(PORT)

check-site: bundle epub ## Read the finished book in Chromium, page by page, and what it is packed into
	$(PY) -m pytest -q -m site -n auto --dist loadfile tests/site

check-colab: $(VENV)/.done ## Run every chapter in a clean environment like Colab's (downloads several GB)
	$(PY) -m pytest -q -m colab tests/book/test_colab.py

results: $(VENV)/.done ## Run the studies whose record is missing or stale (AGAIN=yes: all, beside the record; MINUTES=90)
	MPLBACKEND=Agg $(PY) -m physnn.lab.records.rerun $(STUDY) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(filter yes,$(AGAIN)),--again) $(if $(SCHEDULER),--scheduler $(SCHEDULER))
	$(if $(filter yes,$(AGAIN)),,$(if $(if $(STUDY),$(filter as-printed,$(STUDY)),yes),MPLBACKEND=Agg MPLCONFIGDIR=_build/matplotlib MATPLOTLIBRC=_build/matplotlib $(PY) -m book.figures.opening))
	$(if $(filter yes,$(AGAIN)),,$(PY) -m book.tools.claims)

results-diff: $(VENV)/.done ## Compare the recorded numbers of two commits: BASE=REV [HEAD=REV]
	@$(PY) -m book.tools.results_diff $(or $(BASE),$(error name a commit to compare with: make results-diff BASE=main)) $(HEAD)

bench: $(VENV)/.done ## Time the package against its peers (RECORD=yes: for the book)
	OMP_NUM_THREADS=1 $(PY) -m benchmarks $(if $(RECORD),--record)

lock: ## Choose the newest versions that fit pyproject.toml (needs uv)
	uv pip compile -q --universal --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --all-extras pyproject.toml -o requirements.lock

# By name, as other things lie in _build too: what papermill wrote, timings, the finished runs of studies.
BUILT := executed stage html matplotlib scoreboard plain-sphinx epub-stage epub-work values physnn-book.zip physnn-book.epub coverage

clean: ## Delete what these targets have made, but the environments (PARTS=yes: and the finished runs of stopped studies)
	rm -rf $(BUILT:%=_build/%) _build/.site-* .pytest_cache .ruff_cache .mypy_cache
	$(if $(filter yes,$(PARTS)),rm -rf _build/studies _build/results)
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# What is in an environment is written down for its place: a copy of it elsewhere runs the programs of the first.
.PHONY: in-place
in-place:
	@test ! -e $(VENV)/.done || test -x $(PY) || { echo "the Python that $(VENV) was made with is gone: delete $(VENV), and make sets it up anew" >&2; exit 1; }
	@test ! -e $(VENV)/.done || $(PY) -m book.tools.preflight --venv "$(VENV)" --in-place

# One set-up of an environment at a time: whoever had to wait looks again whether there is something to do.
ifneq ($(ALONE),yes)
$(VENV)/.done: requirements.lock pyproject.toml | in-place
$(LOWEST)/.done: requirements.lock pyproject.toml tests/lowest.py
$(PLAIN)/.done: pyproject.toml | $(VENV)/.done
$(LOWEST)-all/.done: pyproject.toml
%/.done:
	@command -v "$(PYTHON)" >/dev/null || { echo "cannot set up $*: there is no $(PYTHON); install Python 3.11 or newer, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(if $(filter $(PLAIN),$*),,$(PYTHON) -m book.tools.preflight --venv "$*" $(if $(filter yes,$(HAVE_UV)),--with-uv))
	@mkdir -p "$*"
	@$(PYTHON) -m book.tools.turn "$*" $(MAKE) --no-print-directory ALONE=yes $@
else
# .begun marks a set-up in progress. Finding it here means that one was interrupted: nothing in the
# environment can be trusted, so it starts from nothing. Renamed last, it keeps the time of the start:
# a lock that changes meanwhile is newer.
define begin
@if [ -e $(@D)/.begun ]; then find $(@D) -mindepth 1 -maxdepth 1 ! -name .begun -exec rm -rf {} +; fi
@touch $(@D)/.begun && rm -f $(@D)/.done
endef

$(VENV)/.done: requirements.lock pyproject.toml
	@echo "setting up $(VENV) with $(if $(filter yes,$(HAVE_UV)),uv,pip): about 6 GB, one to five minutes the first time"
	$(begin)
ifeq ($(HAVE_UV),yes)
	uv venv -q --allow-existing --python "$(PYTHON)" $(VENV)
	uv pip install -q --python $(PY) --require-hashes -r requirements.lock
	uv pip install -q --python $(PY) --no-deps -e .
else
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --require-hashes -r requirements.lock
	$(PY) -m pip install -q --no-deps -e .
endif
	@mv $(VENV)/.begun $(VENV)/.done

$(LOWEST)/.done: requirements.lock pyproject.toml tests/lowest.py
	@echo "setting up $(LOWEST) with $(if $(filter yes,$(HAVE_UV)),uv,pip): about 6 GB, one to three minutes the first time"
	$(begin)
	@$(PYTHON) tests/lowest.py > $(LOWEST)/.begun
ifeq ($(HAVE_UV),yes)
	uv venv -q --allow-existing --python "$(PYTHON)" $(LOWEST)
	uv pip install -q --python $(LOWEST)/bin/python -r $(LOWEST)/.begun
else
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install -q -r $(LOWEST)/.begun
endif
	@mv $(LOWEST)/.begun $(LOWEST)/.done

# Of the same Python as $(VENV), which it borrows PyTorch from; not in the lock, as it is there to meet what is new.
$(PLAIN)/.done: pyproject.toml | $(VENV)/.done
	@echo "setting up $(PLAIN) with $(if $(filter yes,$(HAVE_UV)),uv,pip): about 0.3 GB, a minute the first time"
	$(begin)
ifeq ($(HAVE_UV),yes)
	uv venv -q --allow-existing --python $(PY) $(PLAIN)
	uv pip install -q --upgrade --python $(PLAIN)/bin/python --group plain
else
	$(PY) -m venv $(PLAIN)
	$(PLAIN)/bin/python -m pip install -q --upgrade "pip>=25.1" # the first that reads groups
	$(PLAIN)/bin/python -m pip install -q --upgrade --group plain
endif
	@mv $(PLAIN)/.begun $(PLAIN)/.done

$(LOWEST)-all/.done: pyproject.toml
	@echo "setting up $(LOWEST)-all with uv: about 6 GB, one to three minutes the first time"
	$(begin)
	uv venv -q --allow-existing --python "$(PYTHON)" $(LOWEST)-all
	uv pip install -q --python $(LOWEST)-all/bin/python --resolution lowest-direct -e .[test]
	@mv $(LOWEST)-all/.begun $(LOWEST)-all/.done
endif
