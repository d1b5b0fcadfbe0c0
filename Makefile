# make demo                  makes a patch from a real fine-tune, applies and reverts it; stacks three, removes one
# make demo MODEL=smollm2    on a whole model, which it downloads (93 MB): trains, measures, answers
# make test                  the tests of the program; prints the slowest at the end
# make test-all              also the second reader, sanitizers, attacks, the scripts, and the packages in a clean Debian
#                            (root, network); what CI runs
# make test-real             tests with real models and other libraries, which it downloads: about an hour
# make test-servers          tests with vLLM and SGLang on this machine, which it downloads; docs/serving.md
# make attack                faults, signals, races, hostile files for hours; docs/design/attacks.md
# make attack ATTACK="faults --count 5000"   a single attack
# make bench                 size, speed and memory, compared with other tools; docs/benchmarks.md
# make study                 forgetting of five tuning methods on five tasks (about an hour); docs/study.md
# make study STUDY=--eyes    the same with images, on a small vision-language model; docs/study-eyes.md
# make fuzz                  a million damaged inputs for each parser and decoder
# make lint                  checks the format of the Swift sources, and the Python sources
# make docs                  runs the console sessions in the docs and updates their output
# make docc                 the documentation of the library, as a website in .build-docc/VPatch
# make install PREFIX=DIR    the command, completions, man pages, docs, suites; default /usr/local
# make wheel                 the Python package in dist/, with library and command: pip install dist/vpatch-*.whl
# make dist                  a .deb and a tar.gz in dist/, which need no Swift
# make clean                 removes all builds
#
# Packages that are missing on Debian or Ubuntu are installed first (scripts/install-deps.sh).

PREFIX ?= /usr/local
MODEL ?= pair
BENCH ?=
STUDY ?=
ATTACK ?= --long
VPATCH = .build/release/vpatch
DEMO = .build/demo

.PHONY: help build demo test test-all test-real test-servers attack bench study fuzz lint docs docc install wheel dist deps clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

deps:
	@scripts/install-deps.sh

# Linked statically with the Swift libraries: it starts in half the time, and runs without Swift. With lld, since gold
# warns of a function in Foundation that is not called here.
build: deps
	swift build -c release --product vpatch --static-swift-stdlib -Xswiftc -use-ld=lld

demo: build
	@rm -rf $(DEMO)
	@case $(MODEL) in \
	  pair) $(VPATCH) demo $(DEMO) ;; \
	  smollm2) python=$$(bench/setup.sh) && model=$$($$python bench/smollm2.py) && \
	    $(VPATCH) demo $(DEMO) --model $$model ;; \
	  *) $(VPATCH) demo $(DEMO) --model $(MODEL) ;; \
	esac

test:
	@scripts/test.sh

test-all: dist
	@scripts/test.sh all
	@scripts/test-install.sh

wheel: deps
	@scripts/wheel.sh

test-real: build
	@scripts/test-real.sh

test-servers: deps
	@scripts/build-library.sh command >&2
	@scripts/test-servers.sh "$$(dirname "$$(scripts/build-library.sh)")"

attack: deps
	@scripts/attack.sh $(ATTACK)

bench: build
	@python=$$(bench/setup.sh) && "$$python" bench/run.py $(BENCH)

# Continues where it was stopped. STUDY="--seeds 2" and the like are passed to study/run.py; STUDY=--eyes is the study
# with images.
study: build
	@python=$$(bench/setup.sh) && "$$python" study/run.py $(STUDY) && \
	  "$$python" study/report.py $(filter --eyes,$(STUDY))

fuzz: deps
	@fuzz/run.sh

lint:
	@scripts/lint.sh
	@scripts/lint-python.sh

docs: build
	@python=$$(scripts/python.sh) && PATH="$$(dirname $$python):$$PATH" $$python scripts/sessions.py README.md docs/*.md docs/design/*.md

docc: deps
	VPATCH_DOCC=1 swift package --scratch-path .build-docc --allow-writing-to-directory .build-docc \
	  generate-documentation --target VPatch --output-path .build-docc/VPatch

install: build
	@scripts/install-files.sh $(VPATCH) "$(DESTDIR)" "$(PREFIX)"

dist: build
	@scripts/dist.sh

clean:
	rm -rf .build .build-tests .build-fuzz .build-docc .build-manual Examples/.build dist
