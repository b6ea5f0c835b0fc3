# The steps of scripts/test, one by one. `scripts/test` runs all of them, and installs what is missing.

# Everything that must hold.
all:
    scripts/test

# Form and lints of the code.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Spelling; `scripts/test` installs typos below `target`.
typos:
    target/tools/typos/bin/typos

# What maintainers check before a release: advisories, unused dependencies, mutants of the rules.
audit:
    scripts/audit

# The fuzz targets, all or those named; needs a nightly toolchain.
fuzz *TARGETS:
    scripts/fuzz {{TARGETS}}

# Measurements of the code.
numbers:
    scripts/numbers

# The reference of the code, and its examples.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
    cargo test --workspace --locked --doc

# Everything that the tests need, and what else has to build.
build:
    cargo test --workspace --locked --lib --tests --no-run
    cargo build --workspace --locked --benches --examples

# All tests but the histories, or those whose name contains FILTER.
test FILTER="":
    cargo test --workspace --exclude ferry-histories --locked --lib --tests -- {{FILTER}}

# Ten thousand random histories.
histories:
    cargo test --workspace --locked --test histories

# The same with nextest: each test has a time limit, and slow ones are listed.
nextest *FILTER:
    cargo nextest run --workspace --locked {{FILTER}}

# The tests of the Redis store and of the shipped files, on Valkey.
valkey:
    REDIS_SERVER=valkey-server cargo test --workspace --locked --test contract --test tidy redis
    REDIS_SERVER=valkey-server cargo test --workspace --locked --test it -- topologies deploy::redis

# Write the generated parts of the pages.
docs:
    UPDATE_DOCS=1 cargo test --test docs

# The pages as a book, below `target`, with its links checked; needs mdbook.
book:
    scripts/book
