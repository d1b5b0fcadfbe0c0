# make demo                  makes a patch from a real fine-tune, applies it, reverts it; stacks three, takes one out
# make demo MODEL=smollm2    the same on a whole model, which it fetches (93 MB)
# make test                  all tests, and at the end which were slow
# make test-real             those that need real models and other libraries: fetched, about an hour
# make attack                faults, signals, races, hostile files for hours; docs/design/attacks.md
# make attack ATTACK="faults --count 5000"   one of them
# make bench                 sizes, timings and memory beside other tools; docs/benchmarks.md
# make study                 five ways to tune, five tasks in sequence, what is forgotten (about an hour); docs/study.md
# make study STUDY=--eyes    the same with pictures, on a small model that is made to see; docs/study-eyes.md
# make fuzz                  a million damaged inputs for each of the parsers and decoders
# make lint                  the formatting of the Swift sources, and checks of the Python ones
# make docs                  runs the sessions that the docs show, and writes down what they print
# make install PREFIX=DIR    the command and its shell completions; default /usr/local
# make clean
#
# What is missing on Debian or Ubuntu is installed first (scripts/install-deps.sh).

PREFIX ?= /usr/local
MODEL ?= pair
BENCH ?=
STUDY ?=
ATTACK ?= --long
VPATCH = .build/release/vpatch
SHARE = $(DESTDIR)$(PREFIX)/share

.PHONY: help build demo test test-real attack bench study fuzz lint docs install deps clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

deps:
	@scripts/install-deps.sh

# With the Swift libraries inside: it starts in half the time, and runs where no Swift is. lld, since gold warns of a
# function in Foundation that nothing here calls.
build: deps
	swift build -c release --product vpatch --static-swift-stdlib -Xswiftc -use-ld=lld

demo: build
	@scripts/demo.sh $(MODEL)

test:
	@scripts/test.sh

test-real: deps
	@scripts/test-real.sh

attack: deps
	@scripts/attack.sh $(ATTACK)

bench: build
	@python=$$(bench/setup.sh) && "$$python" bench/run.py $(BENCH)

# Goes on where it was stopped. STUDY="--seeds 2" and the like are handed to study/run.py; STUDY=--eyes is the one with
# pictures.
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

install: build
	install -D -s -m 755 $(VPATCH) $(DESTDIR)$(PREFIX)/bin/vpatch
	mkdir -p $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	$(VPATCH) --generate-completion-script bash > $(SHARE)/bash-completion/completions/vpatch
	$(VPATCH) --generate-completion-script zsh > $(SHARE)/zsh/site-functions/_vpatch
	$(VPATCH) --generate-completion-script fish > $(SHARE)/fish/vendor_completions.d/vpatch.fish

clean:
	rm -rf .build .build-tests .build-fuzz
