# Frequent commands. Everything goes through cargo, which knows where its target directory is.

CARGO ?= cargo
GIT := git -c safe.directory='*'

# Markers of unfinished work, which must not stay in a source file.
UNFINISHED := \b(dbg|todo|unimplemented)!\(|\b(FIXME|XXX|TODO)\b
SOURCES := '*.rs' '*.sh' '*.toml' '*.yml' '*.yaml' '*.hbs' '*.j2' '*.java'

.PHONY: demo test lint bench

# Runs convoy against nodes inside one process.
demo:
	$(CARGO) run --locked --quiet -p convoy -- demo

# Runs all tests, after installing the programs that they need and the machine lacks. Some tests run convoy itself: it is
# built first, so that the build does not count towards the time that a test may take.
test:
	tests/setup.sh
	$(CARGO) build --locked -p convoy
	if $(CARGO) nextest --version >/dev/null 2>&1; then \
	  $(CARGO) nextest run --locked --workspace && $(CARGO) test --locked --workspace --doc; \
	else \
	  $(CARGO) test --locked --workspace; \
	fi

# Checks formatting, markers of unfinished work, and all clippy lints. `cargo fmt` does not see the files of the modules, which
# a macro declares; rustfmt gets them by name.
lint:
	$(GIT) ls-files '*.rs' | xargs rustfmt --check
	$(GIT) grep -nE '$(UNFINISHED)' -- $(SOURCES); \
	  case $$? in 1) ;; 0) echo 'unfinished: see the lines above' >&2; exit 1 ;; *) exit 1 ;; esac
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# Measures thirty tasks that have nothing to do, on a nearby node and on one 50 ms away, compared with ansible-playbook if
# it is installed; and the same tasks, and tasks that change files, with and without a journal.
bench:
	$(CARGO) build --locked --release -p convoy
	$(CARGO) run --locked --release -p convoy-tests --bin bench
