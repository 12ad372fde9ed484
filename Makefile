# What is done often. Everything goes through cargo, which knows where its target folder is.

CARGO ?= cargo
GIT := git -c safe.directory='*'

# What must not stay in a source file.
UNFINISHED := \b(dbg|todo|unimplemented)!\(|\b(FIXME|XXX|TODO)\b
SOURCES := '*.rs' '*.sh' '*.toml' '*.yml' '*.yaml' '*.hbs' '*.j2' '*.java'

.PHONY: demo test lint bench

# Runs convoy against nodes inside one process.
demo:
	$(CARGO) run --locked --quiet -p convoy -- demo

# Runs all tests, after installing what they need and the machine lacks. Some run the program itself: built first, it does
# not count towards the time that a test may take.
test:
	tests/setup.sh
	$(CARGO) build --locked -p convoy
	if $(CARGO) nextest --version >/dev/null 2>&1; then \
	  $(CARGO) nextest run --locked --workspace && $(CARGO) test --locked --workspace --doc; \
	else \
	  $(CARGO) test --locked --workspace; \
	fi

# Checks the form of the sources and everything that clippy knows.
lint:
	$(CARGO) fmt --all --check
	$(GIT) grep -nE '$(UNFINISHED)' -- $(SOURCES); \
	  case $$? in 1) ;; 0) echo 'unfinished: see the lines above' >&2; exit 1 ;; *) exit 1 ;; esac
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# Times thirty tasks that are done already, on a node nearby and on one 50 ms away, beside ansible-playbook if it is
# installed; and these, and tasks that change files, with a journal and without.
bench:
	$(CARGO) build --locked --release -p convoy
	$(CARGO) run --locked --release -p convoy-tests --bin bench
