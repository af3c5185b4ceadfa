# Everything a developer or a new user types. Runs on a bare Debian 12 as root; elsewhere `make deps` only says what to
# install. Nothing is written outside this folder but what apt-get installs and (make install) R's library.
#
#   make demo      install what is needed and the package, run the demonstration into demo-output/
#   make test-quick   what a change needs while working: engine (gcc), glue's warnings, R tests but the slow ones
#   make test      all tests: engine (gcc, clang, sanitizers, threads), R, golden values, R with AddressSanitizer,
#                  R CMD check, BiocCheck       make lint   cppcheck and clang-tidy over glue and engine
#   make install   the package into R's library        make parity FIXTURES=DIR   golden values of every case below DIR
#   make bench     benchmarks into bench/results       make document   Collate, NAMESPACE and man/ from R/
#   make deps      what demo needs (deps-test: what test needs)       make clean
# On a machine that is busy with other work, threads that wait for each other actively lose whole time slices.
export OMP_WAIT_POLICY ?= passive
R ?= R
RSCRIPT ?= Rscript
FIXTURES ?= tests/fixtures
JOBS ?= 2
# OBJECTS=FOLDER: `make parity` by the engine's objects there instead of compiling it (tests/engine/Makefile)
PARITY = $(if $(OBJECTS),installed,gcc)

DEPS = r-base-core gcc libc6-dev make pkg-config libcjson-dev libopenblas-dev libfftw3-dev r-bioc-rhdf5lib \
  r-bioc-singlecellexperiment r-bioc-summarizedexperiment r-bioc-s4vectors r-bioc-biocgenerics r-bioc-delayedarray r-bioc-biocfilecache \
  r-cran-matrix r-cran-cli r-cran-curl r-cran-ggplot2 r-cran-igraph r-cran-htmltools r-cran-jsonlite r-cran-ggrepel r-bioc-hsmmsinglecell
DEPS_TEST = ccache clang libclang-rt-14-dev libomp-dev r-cran-testthat r-cran-yaml r-cran-seuratobject r-bioc-biocparallel r-bioc-multiassayexperiment \
  r-bioc-genomicranges r-bioc-genomeinfodb r-bioc-iranges r-bioc-biostrings r-bioc-rsamtools r-bioc-rtracklayer r-bioc-hdf5array r-bioc-rhdf5 r-bioc-bioccheck r-cran-knitr r-cran-rmarkdown r-bioc-biocstyle \
  r-cran-commonmark r-cran-xml2 pandoc libopenmpi-dev openmpi-bin

.PHONY: all deps deps-test install demo test test-quick lint parity bench collate document clean
all: install

# $(call need,PACKAGES): installs those that are missing; says so where that can't be done from here
define need
	@missing=; \
	command -v dpkg-query >/dev/null 2>&1 || { echo "not Debian: needed are the equivalents of $(1)"; exit 0; }; \
	for p in $(1); do \
	  [ "$$(dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || missing="$$missing $$p"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" != 0 ]; then \
	  echo "missing; as root: apt-get install -y --no-install-recommends$$missing" >&2; exit 1; fi; \
	echo "installing$$missing"; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null
endef

deps:
	$(call need,$(DEPS))
deps-test:
	$(call need,$(DEPS) $(DEPS_TEST))

# From a built package, so that no object file lying about gets in and nothing but what users get is installed.
install: deps
	@rm -rf .build/package && mkdir -p .build/package
	cd .build/package && $(R) CMD build --no-build-vignettes ../..
	MAKEFLAGS=-j$(JOBS) $(R) CMD INSTALL .build/package/causeway_*.tar.gz

demo: install
	mkdir -p demo-output
	$(RSCRIPT) inst/scripts/demo.R demo-output

test: deps-test
	@R="$(R)" RSCRIPT="$(RSCRIPT)" JOBS="$(JOBS)" sh tests/run-all.sh

test-quick:
	@R="$(R)" RSCRIPT="$(RSCRIPT)" JOBS="$(JOBS)" sh tests/run-all.sh quick

lint:
	@command -v cppcheck >/dev/null && command -v clang-tidy >/dev/null || \
	  { echo "as root: apt-get install -y cppcheck clang-tidy" >&2; exit 1; }
	@$(MAKE) -s -j$(JOBS) -C tests/engine lint

parity:
	@{ command -v gcc && pkg-config --exists openblas libcjson; } >/dev/null 2>&1 || $(MAKE) -s deps
	@$(MAKE) -s -j$(JOBS) -C tests/engine CC=gcc SAN= OPT=-O2 OBJECTS="$(OBJECTS)" parity
	@tests/engine/build/$(PARITY)/parity $(FIXTURES)
	@if [ -d "$(FIXTURES)/hyena_a" ]; then tests/engine/build/$(PARITY)/golden_layers $(FIXTURES); fi

bench: install
	@mkdir -p bench/results
	sh bench/run.sh

# DESCRIPTION's Collate: generics, base classes, files that define classes (*-class.R and *-params.R first, which others
# extend), then the rest, so that no method stands before its class. To be run when a file of R/ comes, goes or moves.
collate:
	@$(RSCRIPT) -e 'f <- sort(list.files("R", "[.]R$$"), method = "radix")' \
	  -e 'has <- vapply(f, function(n) any(grepl("^setClass", readLines(file.path("R", n)))), NA)' \
	  -e 'rank <- ifelse(f == "AllGenerics.R", 0, ifelse(f == "AllClasses.R", 1, 4))' \
	  -e 'rank[rank == 4 & has] <- 3; rank[rank == 3 & grepl("-(class|params)[.]R$$", f)] <- 2' \
	  -e 'invisible(desc::desc_set_collate(f[order(rank)], file = "DESCRIPTION"))'

# roxygen2 wants the package loaded: it is installed from a copy whose NAMESPACE has the imports only, because the
# present one may export what is gone.
document: collate
	@rm -rf .build/document && mkdir -p .build/document .build/library
	cp -r DESCRIPTION R src configure cleanup .build/document/
	cd .build/document && ./cleanup && $(RSCRIPT) -e 'roxygen2::update_collate(".")' -e \
	  'roxygen2::roclet_preprocess(roxygen2::namespace_roclet(), roxygen2::parse_package(".", env = NULL), ".")'
	MAKEFLAGS=-j$(JOBS) $(R) CMD INSTALL --no-docs --no-test-load --library=.build/library .build/document \
	  >.build/document.log 2>&1 || { tail -n 30 .build/document.log; exit 1; }
	R_LIBS=.build/library $(RSCRIPT) -e 'roxygen2::roxygenise(load_code = roxygen2::load_installed)'

clean:
	./cleanup
	rm -rf .build
	$(MAKE) -s -C tests/engine clean
