# The steps of scripts/test, one by one. `scripts/test` runs all of them, and installs what is missing.

# Everything that must hold.
all:
    scripts/test

# What is wrong with the form of the code.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Licenses, sources and advisories of the dependencies.
deny:
    cargo deny --locked check licenses bans sources
    cargo deny fetch db
    cargo deny --locked check advisories

# The reference of the code, and its examples.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
    cargo test --workspace --locked --doc

# All tests, or those whose name contains FILTER.
test FILTER="":
    cargo test --workspace --locked --lib --tests -- {{FILTER}}

# The tests of the Redis store, on the Valkey that `REDIS_SERVER` names.
valkey:
    REDIS_SERVER=${REDIS_SERVER:-valkey-server} cargo test --locked -p ferry-store --test contract redis
    REDIS_SERVER=${REDIS_SERVER:-valkey-server} cargo test --locked --test it -- topologies deploy::redis

# Write the generated parts of the pages.
docs:
    UPDATE_DOCS=1 cargo test --test docs

# Read the pages as a book; needs mdbook.
book:
    mdbook serve --open
